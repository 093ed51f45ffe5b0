# SPDX-License-Identifier: Apache-2.0
"""max(relu(x)) is relu(max(x)): in front of the pool a layer can take the rectifier over."""

from dataclasses import replace

from microai.graph import Graph, Node, replace_node
from microai.ops import MaxPool, Relu


def rectify_before_pool(graph: Graph) -> Graph:
    """MaxPool then Relu become Relu then MaxPool, where a layer in front would clamp for free."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        pool = graph[node.inputs[0]]
        if isinstance(pool.op, MaxPool) and graph.only_user(pool.name) and _clamps(graph, pool):
            source = graph[pool.inputs[0]]
            first = replace(pool, op=node.op, type=source.type)
            graph = replace_node(graph, first, replace(node, op=pool.op))
    return graph


def _clamps(graph: Graph, pool: Node) -> bool:
    """Whether the layer in front has a clamp to give, to nobody else."""
    source = graph[pool.inputs[0]]
    free = getattr(source.op, "clamp", None) == (None, None)
    return free and graph.only_user(source.name)
