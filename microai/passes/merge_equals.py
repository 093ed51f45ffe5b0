# SPDX-License-Identifier: Apache-2.0
"""What is computed or stored twice is computed or stored once.

For graphs in their final storage: quantization wants a bias for each layer, whose scale it takes,
and a node for each name that the user may give a scheme of its own.
"""

from collections.abc import Hashable, Mapping
from dataclasses import replace

from microai.graph import Graph, Node
from microai.op import Input


def merge_equals(graph: Graph) -> Graph:
    """Nodes of equal op, inputs, type and value become one; it has the name of an output if one of
    them is. Two outputs stay two.
    """
    first: dict[Hashable, str] = {}
    same: dict[str, str] = {}
    outputs: dict[str, str] = {name: name for name in graph.outputs}  # whose name a node has
    for node in graph.nodes:
        earlier = first.setdefault(_key(graph, _reading(node, same)), node.name)
        if earlier == node.name or {earlier, node.name} <= set(outputs):
            continue
        same[node.name] = earlier
        if node.name in outputs:
            outputs[earlier] = node.name
    kept = tuple(_reading(node, same) for node in graph.nodes if node.name not in same)
    return replace(graph, nodes=tuple(_named(node, outputs) for node in kept))


def _key(graph: Graph, node: Node) -> Hashable:
    """Equal for nodes that hold the same; inputs and what keeps its value are like no other."""
    if isinstance(node.op, Input) or node.place == "state":
        return node.name
    array = graph.weights.get(node.name)
    value = None if array is None else array.tobytes()
    return (node.op, node.inputs, node.type, node.place, value)


def _reading(node: Node, names: Mapping[str, str]) -> Node:
    """Its inputs by other names."""
    return replace(node, inputs=tuple(names.get(name, name) for name in node.inputs))


def _named(node: Node, names: Mapping[str, str]) -> Node:
    """The same under other names."""
    return replace(_reading(node, names), name=names.get(node.name, node.name))
