# SPDX-License-Identifier: Apache-2.0
"""Let the layer before a ReLU clamp its own output."""

from dataclasses import replace

from microai.fixedpoint import Clamp
from microai.graph import Graph, Node, absorb
from microai.op import Op
from microai.ops import CLAMPING, Relu


def fuse_relu(graph: Graph) -> Graph:
    """An op that can clamp, or another Relu, and the Relu behind it become one node.

    Exact in integers too: the Relu keeps the storage, and a limit of a limit is a limit.
    """
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        source = graph[node.inputs[0]]
        if can_clamp(graph, source) or _is_relu(graph, source):
            graph = absorb(graph, name, _limited(source.op, node.op), source.inputs)
    return graph


def can_clamp(graph: Graph, source: Node) -> bool:
    """Whether a node could take over the clamp of the one node that reads it."""
    return isinstance(source.op, CLAMPING) and graph.only_user(source.name)


def _is_relu(graph: Graph, source: Node) -> bool:
    return isinstance(source.op, Relu) and graph.only_user(source.name)


def _limited(op: Op, relu: Op) -> Op:
    """The op with both its own clamp and the Relu's."""
    assert isinstance(op, CLAMPING | Relu)
    assert isinstance(relu, Relu)
    low, high = both(op.clamp, relu.clamp)
    if isinstance(op, Relu):
        return replace(op, low=low, limit=high)
    return replace(op, clamp=(low, high))


def both(first: Clamp, then: Clamp) -> Clamp:
    """One clamp that does what two do in turn: `then` limits the ends of the first."""
    low, high = (_within(end, then) for end in first)
    return (then[0] if low is None else low, then[1] if high is None else high)


def _within(end: float | None, clamp: Clamp) -> float | None:
    low, high = clamp
    if end is None:
        return None
    end = end if low is None else max(end, low)
    return end if high is None else min(end, high)
