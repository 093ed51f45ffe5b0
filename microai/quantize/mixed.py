# SPDX-License-Identifier: Apache-2.0
"""Layers in storage of their own, with conversions where two kinds meet."""

from collections.abc import Mapping
from dataclasses import replace

from microai.errors import UsageError
from microai.graph import Graph, Node, add_const, insert_before, replace_node
from microai.op import Source
from microai.ops import ArgMax, Dequantize, Quantize, Reshape, Slice
from microai.quantize.scheme import Scheme

Schemes = dict[str, Scheme]
"""Of every input and step, by name."""


def schemes_of(graph: Graph, scheme: Scheme, layers: Mapping[str, Scheme]) -> Schemes:
    """`layers` names steps or inputs; all others take `scheme`, and what passes indices on is as
    they are. UsageError for other names.
    """
    names = [node.name for node in (*graph.inputs, *graph.steps)]
    if unknown := sorted(set(layers) - set(names)):
        raise UsageError(f"no layer {', '.join(unknown)}; there are {', '.join(names)}")
    schemes = {name: layers.get(name, scheme) for name in names}
    for node in graph.steps:
        if _is_index(graph, node) and not isinstance(node.op, ArgMax):
            schemes[node.name] = schemes[node.inputs[0]]
    return schemes


def _is_index(graph: Graph, node: Node) -> bool:
    """Whether a tensor holds indices, which mean the same in every scheme."""
    while isinstance(node.op, Reshape | Slice):
        node = graph[node.inputs[0]]
    return isinstance(node.op, ArgMax)


def convert(graph: Graph, schemes: Schemes) -> tuple[Graph, Schemes]:
    """Each step reads the storage it works in: where its input has another, a conversion stands
    between, in the scheme of its first reader; weights that two kinds of layers share become one
    for each kind.
    """
    schemes = dict(schemes)
    for name in [node.name for node in graph.steps]:
        for position in range(len(graph[name].inputs)):
            graph = _converted(graph, graph[name], position, schemes)
    return graph, schemes


def _converted(graph: Graph, node: Node, position: int, schemes: Schemes) -> Graph:
    source = graph[node.inputs[position]]
    own = schemes[node.name]
    if isinstance(source.op, Source) and source.name in graph.weights:
        return _untied(graph, node, position, schemes)
    if schemes[source.name].activations == own.activations:
        return graph
    name = f"{source.name}.{own.activations or 'f32'}"
    if name not in schemes:
        op = Quantize() if own.activations else Dequantize()
        graph = insert_before(graph, node.name, Node(name, op, (source.name,), source.type))
        schemes[name] = own
    return _rewired(graph, node, position, name)


def _untied(graph: Graph, node: Node, position: int, schemes: Schemes) -> Graph:
    """A constant for all readers in this node's scheme, where others read it in another."""
    name = node.inputs[position]
    readers = graph.users(name)
    alike = [user for user in readers if schemes[user.name] == schemes[node.name]]
    if len(alike) == len(readers):
        return graph
    own = f"{node.name}.{name}"
    graph = add_const(graph, alike[0].name, own, graph.weights[name])
    for user in alike:
        inputs = tuple(own if i == name else i for i in user.inputs)
        graph = replace_node(graph, replace(user, inputs=inputs))
    return graph


def _rewired(graph: Graph, node: Node, position: int, name: str) -> Graph:
    inputs = (*node.inputs[:position], name, *node.inputs[position + 1 :])
    return replace_node(graph, replace(node, inputs=inputs))
