# SPDX-License-Identifier: Apache-2.0
"""max(relu(x)) is relu(max(x)): behind the pool the rectifier has fewer elements.

Where the layer in front of it would take the rectifier over, it stays: see rectify_before_pool.
"""

from dataclasses import replace

from microai.graph import Graph, Node, replace_node
from microai.ops import MaxPool, Relu
from microai.passes.fuse_relu import can_clamp


def pool_before_relu(graph: Graph) -> Graph:
    """Relu then MaxPool become MaxPool then Relu, where nobody would clamp for free."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, MaxPool)]:
        at = name
        while relu := _before(graph, at):
            pool = graph[at]
            first = replace(relu, op=pool.op, type=pool.type)
            graph = replace_node(graph, first, replace(pool, op=relu.op))
            at = relu.name  # where the pool is now
    return graph


def _before(graph: Graph, pool: str) -> Node | None:
    """The rectifier in front of a pool, if only the pool reads it and no layer could take it."""
    relu = graph[graph[pool].inputs[0]]
    alone = isinstance(relu.op, Relu) and graph.only_user(relu.name)
    return relu if alone and not can_clamp(graph, graph[relu.inputs[0]]) else None
