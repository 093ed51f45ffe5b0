# SPDX-License-Identifier: Apache-2.0
"""Layers in storage of their own, with conversions where two kinds meet."""

from collections.abc import Mapping
from dataclasses import replace

from microai.errors import UsageError
from microai.graph import Graph, Node, add_const, insert_before, replace_node
from microai.op import Source
from microai.ops import Dequantize, Quantize
from microai.quantize.scheme import Scheme

Schemes = dict[str, Scheme]
"""Of every input and step, by name."""


def schemes_of(graph: Graph, scheme: Scheme, layers: Mapping[str, Scheme]) -> Schemes:
    """`layers` names steps or inputs; all others take `scheme`. UsageError for other names."""
    names = [node.name for node in (*graph.inputs, *graph.steps)]
    if unknown := sorted(set(layers) - set(names)):
        raise UsageError(f"no layer {', '.join(unknown)}; there are {', '.join(names)}")
    return {name: layers.get(name, scheme) for name in names}


def convert(graph: Graph, schemes: Schemes) -> tuple[Graph, Schemes]:
    """Each step reads the storage it works in: where its input has another, a conversion stands
    between, in the reader's scheme; weights that two kinds of layers share become one each.
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
    """A constant of this node's own, where others read it in another scheme."""
    name = node.inputs[position]
    if all(schemes[user.name] == schemes[node.name] for user in graph.users(name)):
        return graph
    own = f"{node.name}.{name}"
    graph = add_const(graph, node.name, own, graph.weights[name])
    return _rewired(graph, node, position, own)


def _rewired(graph: Graph, node: Node, position: int, name: str) -> Graph:
    inputs = (*node.inputs[:position], name, *node.inputs[position + 1 :])
    return replace_node(graph, replace(node, inputs=inputs))
