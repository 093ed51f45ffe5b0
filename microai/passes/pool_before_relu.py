# SPDX-License-Identifier: Apache-2.0
"""max(relu(x)) is relu(max(x)): behind the pool the rectifier has fewer elements.

Where the layer in front of it would take the rectifier over, it stays: see rectify_before_pool.
"""

from dataclasses import replace

from microai.graph import Graph, replace_node
from microai.ops import MaxPool, Relu
from microai.passes.fuse_relu import can_clamp


def pool_before_relu(graph: Graph) -> Graph:
    """Relu then MaxPool become MaxPool then Relu, where nobody would clamp for free."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, MaxPool)]:
        pool = graph[name]
        relu = graph[pool.inputs[0]]
        if not isinstance(relu.op, Relu) or not graph.only_user(relu.name):
            continue
        if not can_clamp(graph, graph[relu.inputs[0]]):
            first = replace(relu, op=pool.op, type=pool.type)
            graph = replace_node(graph, first, replace(pool, op=relu.op))
    return graph
