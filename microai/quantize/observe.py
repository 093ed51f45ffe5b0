# SPDX-License-Identifier: Apache-2.0
"""What values a network's tensors take on real samples, and which of them storage is made for.

minmax: all of them. moving: an average of the batches' smallest and largest, the later the more.
percentile: 99.99 %, as many cut at each end. mse: the range of the least squared error (search.py).
"""

import math
from collections.abc import Mapping
from functools import reduce

import numpy as np

from microai.errors import UnsupportedError
from microai.graph import Graph
from microai.interpret import batches, interpret
from microai.quantize.mixed import Schemes
from microai.quantize.scheme import SCHEMES, Scheme
from microai.quantize.summary import Histogram, Tails
from microai.types import Array

Range = tuple[float, float]

MOMENTUM = 0.9  # the moving average's, from a batch of interpret.BATCH samples to the next
SUMMARIES: dict[str, type[Tails | Histogram]] = {"percentile": Tails, "mse": Histogram}
"""Methods that see the values a second time, when it is known how far they reach."""


def observe(
    graph: Graph, samples: Mapping[str, Array], schemes: Schemes | Scheme = SCHEMES["f32"]
) -> dict[str, Range]:
    """The range of every input and activation over all samples (N, ...), chosen as its scheme's
    `ranges` says; one scheme is that of all, without any it is minmax. UnsupportedError for values
    that are not finite.
    """
    seen = _seen(graph, samples)
    ranges = {name: _widest(name, each) for name, each in seen.items()}
    own = schemes if isinstance(schemes, dict) else dict.fromkeys(ranges, schemes)
    moving = {n: reduce(_moved, each) for n, each in seen.items() if own[n].method == "moving"}
    return {**ranges, **moving, **_again(graph, samples, ranges, own)}


def _seen(graph: Graph, samples: Mapping[str, Array]) -> dict[str, list[Range]]:
    """The smallest and the largest value of each batch."""
    seen: dict[str, list[Range]] = {}
    for batch in batches(samples):
        for name, array in interpret(graph, batch).items():
            if name not in graph.weights:
                seen.setdefault(name, []).append(_ends(array))
    return seen


def _ends(array: Array) -> Range:
    return (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)


def _widest(name: str, seen: list[Range]) -> Range:
    """Of all batches; NaN in one of them is NaN."""
    low, high = np.asarray(seen).T
    limits = float(low.min()), float(high.max())
    if not all(map(math.isfinite, limits)):
        raise UnsupportedError(f"{name} reaches {limits} on the calibration data: it diverges")
    return limits


def _moved(known: Range, batch: Range) -> Range:
    """momentum * known + (1 - momentum) * batch, at both ends."""
    low, high = (MOMENTUM * k + (1 - MOMENTUM) * b for k, b in zip(known, batch, strict=True))
    return low, high


def _again(
    graph: Graph, samples: Mapping[str, Array], ranges: Mapping[str, Range], schemes: Schemes
) -> dict[str, Range]:
    """The ranges of those whose method needs a second pass, and that take more than one value."""
    count = len(next(iter(samples.values())))
    summaries = {
        name: SUMMARIES[schemes[name].method].of(widest, count * graph[name].type.size)
        for name, widest in ranges.items()
        if schemes[name].method in SUMMARIES and widest[0] < widest[1]
    }
    if not summaries:
        return {}
    for batch in batches(samples):
        values = interpret(graph, batch)
        summaries = {name: each.add(values[name]) for name, each in summaries.items()}
    return {name: each.range(schemes[name]) for name, each in summaries.items()}
