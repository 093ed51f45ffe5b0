# SPDX-License-Identifier: Apache-2.0
"""What values a network's tensors take on real samples."""

import math
from collections.abc import Mapping

from microai.errors import UnsupportedError
from microai.graph import Graph
from microai.interpret import batches, interpret
from microai.types import Array

Range = tuple[float, float]


def observe(graph: Graph, samples: Mapping[str, Array]) -> dict[str, Range]:
    """Smallest and largest value of every input and activation over all samples (N, ...)."""
    ranges: dict[str, Range] = {}
    for batch in batches(samples):
        for name, array in interpret(graph, batch).items():
            if name not in graph.weights:
                ranges[name] = _widen(ranges.get(name), array)
    for name, limits in ranges.items():
        if not all(map(math.isfinite, limits)):
            raise UnsupportedError(f"{name} reaches {limits} on the calibration data: it diverges")
    return ranges


def _widen(known: Range | None, array: Array) -> Range:
    low, high = float(array.min()), float(array.max())
    return (low, high) if known is None else (min(low, known[0]), max(high, known[1]))
