# SPDX-License-Identifier: Apache-2.0
"""Only the last of several reshapes counts, and one that changes nothing goes."""

from dataclasses import replace

from microai.graph import Graph, bypass, replace_node
from microai.ops import Reshape


def merge_reshapes(graph: Graph) -> Graph:
    """Reshape(Reshape(x)) reads x; Reshape to the same shape vanishes."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, Reshape)]:
        node = graph[name]
        source = graph[node.inputs[0]]
        if isinstance(source.op, Reshape):
            node = replace(node, inputs=source.inputs)
            graph = replace_node(graph, node)
        if graph[node.inputs[0]].type.shape == node.type.shape and name not in graph.outputs:
            graph = bypass(graph, name)
    return graph
