# SPDX-License-Identifier: Apache-2.0
"""A ReLU whose input cannot leave its limits does nothing."""

from microai.fixedpoint import clamp_ints
from microai.graph import Graph, Node, bypass
from microai.ops import CLAMPING, MaxPool, Relu, Reshape, Resize, Slice

Limits = tuple[int, int]


def drop_idle_relu(graph: Graph) -> Graph:
    """Remove integer Relu nodes that cannot change a value."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        assert isinstance(node.op, Relu)
        if node.type.quant is None or name in graph.outputs:
            continue
        low, high = clamp_ints(node.op.clamp, node.type.quant)
        lowest, highest = _limits(graph, graph[node.inputs[0]])
        if low <= lowest and highest <= high:
            graph = bypass(graph, name)
    return graph


def _limits(graph: Graph, node: Node) -> Limits:
    """The smallest and largest integer a tensor can hold, from its clamp and its inputs'."""
    quant = node.type.stored
    own = (quant.low, quant.high)
    if isinstance(node.op, CLAMPING | Relu):
        own = clamp_ints(node.op.clamp, quant)
    if not isinstance(node.op, MaxPool | Relu | Reshape | Resize | Slice):
        return own
    low, high = _limits(graph, graph[node.inputs[0]])
    return (min(max(own[0], low), own[1]), max(min(own[1], high), own[0]))
