# SPDX-License-Identifier: Apache-2.0
"""A conversion from a storage to the same storage does nothing."""

from microai.graph import Graph, bypass
from microai.ops import Quantize


def drop_idle_quantize(graph: Graph) -> Graph:
    """Remove integer Quantize nodes whose input is stored as their output is."""
    for node in graph.nodes:
        if not isinstance(node.op, Quantize) or node.type.quant is None:
            continue
        stored = graph[graph[node.name].inputs[0]].type.quant
        if stored == node.type.quant and node.name not in graph.outputs:
            graph = bypass(graph, node.name)
    return graph
