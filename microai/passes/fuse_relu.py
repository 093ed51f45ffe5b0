# SPDX-License-Identifier: Apache-2.0
"""Let the layer before a ReLU clamp its own output."""

from dataclasses import replace

from microai.graph import Graph, absorb
from microai.ops import CLAMPING, Relu


def fuse_relu(graph: Graph) -> Graph:
    """An op that can clamp and the Relu behind it become one node."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        assert isinstance(node.op, Relu)
        source = graph[node.inputs[0]]
        if not isinstance(source.op, CLAMPING):
            continue
        if source.op.clamp != (None, None) or not graph.only_user(source.name):
            continue
        op = replace(source.op, clamp=node.op.clamp)
        graph = absorb(graph, name, op, source.inputs)
    return graph
