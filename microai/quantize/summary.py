# SPDX-License-Identifier: Apache-2.0
"""What is kept of a tensor's values to choose its range, whatever their number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microai.quantize.scheme import Scheme
from microai.quantize.search import best_range
from microai.types import Array, Floats

CUT = 20_000  # of so many values, one is cut at each end: 99.99 % stay
BINS = 2048


@dataclass(frozen=True)
class Tails:
    """The smallest and the largest values, one more than are cut at each end; exact."""

    widest: tuple[float, float]
    kept: int
    lowest: Floats
    highest: Floats

    @classmethod
    def of(cls, widest: tuple[float, float], count: int) -> Tails:
        """None yet of `count` values within `widest`."""
        return cls(widest, count // CUT + 1, np.empty(0), np.empty(0))

    def add(self, array: Array) -> Tails:
        """With a batch more."""
        values = array.ravel().astype(np.float64)
        low, high = (np.concatenate([tail, values]) for tail in (self.lowest, self.highest))
        return replace(self, lowest=_least(low, self.kept), highest=-_least(-high, self.kept))

    def range(self, scheme: Scheme) -> tuple[float, float]:
        """The ends that are left; where only zeros would be, all values count."""
        del scheme
        limits = float(self.lowest.max()), float(self.highest.min())
        return limits if any(limits) else self.widest


def _least(values: Floats, count: int) -> Floats:
    return np.partition(values, count - 1)[:count] if len(values) > count else values


@dataclass(frozen=True)
class Histogram:
    """How many values there are in each of BINS equal parts, and their sum: its mean stands for
    them. Zeros are left out: every storage holds them exactly.
    """

    widest: tuple[float, float]
    counts: Floats
    sums: Floats

    @classmethod
    def of(cls, widest: tuple[float, float], count: int) -> Histogram:
        """None yet of any number of values within `widest`."""
        del count
        return cls(widest, np.zeros(BINS), np.zeros(BINS))

    def add(self, array: Array) -> Histogram:
        """With a batch more."""
        values = array[array != 0].astype(np.float64)
        low, high = self.widest
        share = (values - low) / (high - low)
        part = np.minimum((share * BINS).astype(np.int64), BINS - 1)
        return replace(
            self,
            counts=self.counts + np.bincount(part, minlength=BINS),
            sums=self.sums + np.bincount(part, values, BINS),
        )

    def range(self, scheme: Scheme) -> tuple[float, float]:
        """The ends of the least squared error."""
        used = self.counts > 0
        counts = self.counts[used]
        return best_range(self.sums[used] / counts, counts, self.widest, scheme)
