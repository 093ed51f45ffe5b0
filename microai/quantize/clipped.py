# SPDX-License-Identifier: Apache-2.0
"""What a fixed format cannot hold: weights and calibrated activations outside its limits."""

from collections.abc import Mapping

import numpy as np

from microai.graph import Graph, Node
from microai.quantize.mixed import Schemes
from microai.quantize.observe import Range
from microai.quantize.scheme import Scheme
from microai.types import Array, Quant


def clipped(
    floats: Graph, ranges: Mapping[str, Range], integers: Graph, schemes: Schemes
) -> list[str]:
    """A sentence for each tensor whose storage ends more than two steps before its values do,
    unless its scheme chose so.
    """
    known = {
        node.name for node in floats.nodes if _scheme(floats, node, schemes).method == "minmax"
    }
    found = [_sentence(node, floats.weights, ranges) for node in integers.nodes
             if node.type.quant and node.name in known]  # fmt: skip
    return [sentence for sentence in found if sentence]


def _scheme(graph: Graph, node: Node, schemes: Schemes) -> Scheme:
    """Its own, or a weight's reader's."""
    own = node.name if node.name in schemes else graph.users(node.name)[0].name
    return schemes[own]


def _sentence(node: Node, weights: Mapping[str, Array], ranges: Mapping[str, Range]) -> str:
    quant = node.type.stored
    if node.name in weights:
        low, high = _limits(quant, slack=2)
        axes = [-1 if axis == quant.axis else 1 for axis in range(len(node.type.shape))]
        lows, highs = (v.reshape(axes) if len(v) > 1 else v for v in (low, high))
        count = int(((weights[node.name] < lows) | (weights[node.name] > highs)).sum())
        return f"{node.name}: {count} of {node.type.size} values saturate" if count else ""
    low, high = _limits(quant, slack=2)
    reach = ranges.get(node.name, (0.0, 0.0))
    if reach[0] >= low[0] and reach[1] <= high[0]:
        return ""
    held = f"{low[0]:.4g}..{high[0]:.4g}"
    return f"{node.name} reaches {reach[0]:.4g}..{reach[1]:.4g}, its format ends at {held}"


def _limits(quant: Quant, slack: int) -> tuple[Array, Array]:
    """The lowest and highest value of each scale, and some steps more."""
    scale = np.asarray(quant.scale)
    low, high = (limit - quant.zero for limit in (quant.low, quant.high))
    return (low - slack) * scale, (high + slack) * scale
