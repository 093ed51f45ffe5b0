# SPDX-License-Identifier: Apache-2.0
"""Give a node other weights."""

from dataclasses import replace

from microai.graph import Graph, Node, insert_before, replace_node
from microai.op import Const
from microai.types import Array, Quant, TensorType


def with_weight(graph: Graph, name: str, position: int, array: Array, quant: Quant | None) -> Graph:
    """Node `name` reads this constant at `position`; who else reads the old one keeps it."""
    node = graph[name]
    old = graph[node.inputs[position]]
    own = old.name if graph.only_user(old.name) else f"{name}.{old.name}"
    kind = TensorType(array.shape, quant)
    const = Node(own, Const(array.shape), (), kind, old.place)
    graph = replace(graph, weights={**graph.weights, own: array})
    if own == old.name:
        return replace_node(graph, const)
    inputs = (*node.inputs[:position], own, *node.inputs[position + 1 :])
    return replace_node(insert_before(graph, name, const), replace(node, inputs=inputs))
