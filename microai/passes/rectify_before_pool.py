# SPDX-License-Identifier: Apache-2.0
"""max(relu(x)) is relu(max(x)): in front of the pool a layer can take the rectifier over."""

from dataclasses import replace

from microai.graph import Graph, replace_node
from microai.ops import MaxPool, Relu
from microai.passes.fuse_relu import can_clamp


def rectify_before_pool(graph: Graph) -> Graph:
    """MaxPool then Relu become Relu then MaxPool, where a layer in front would clamp for free."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        pool = graph[node.inputs[0]]
        if not isinstance(pool.op, MaxPool) or not graph.only_user(pool.name):
            continue
        source = graph[pool.inputs[0]]
        if can_clamp(graph, source):
            first = replace(pool, op=node.op, type=source.type)
            graph = replace_node(graph, first, replace(node, op=pool.op))
    return graph
