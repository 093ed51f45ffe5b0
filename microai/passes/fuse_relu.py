# SPDX-License-Identifier: Apache-2.0
"""Let the layer before a ReLU clamp its own output."""

from dataclasses import replace

from microai.graph import Graph, absorb
from microai.ops import Add, Conv, Dense, DepthwiseConv, Relu


def fuse_relu(graph: Graph) -> Graph:
    """Add, Conv or Dense followed by Relu becomes one node with a clamp."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Relu)]:
        node = graph[name]
        assert isinstance(node.op, Relu)
        source = graph[node.inputs[0]]
        if not isinstance(source.op, Add | Conv | Dense | DepthwiseConv):
            continue
        if source.op.clamp != (None, None) or not graph.only_user(source.name):
            continue
        op = replace(source.op, clamp=node.op.clamp)
        graph = absorb(graph, name, op, source.inputs)
    return graph
