# SPDX-License-Identifier: Apache-2.0
"""A ReLU whose limits are the integers' own limits does nothing."""

from microai.fixedpoint import clamp_ints
from microai.graph import Graph, Node, bypass
from microai.ops import Relu


def drop_idle_relu(graph: Graph) -> Graph:
    """Remove integer Relu nodes that cannot change a value."""
    for node in graph.nodes:
        if _idle(node) and node.name not in graph.outputs:
            graph = bypass(graph, node.name)
    return graph


def _idle(node: Node) -> bool:
    if not isinstance(node.op, Relu) or node.type.quant is None:
        return False
    quant = node.type.quant
    return clamp_ints(node.op.clamp, quant) == (quant.low, quant.high)
