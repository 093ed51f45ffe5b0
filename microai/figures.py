# SPDX-License-Identifier: Apache-2.0
"""How far numbers are from what they should be, as sums that add up over batches."""

import math
from dataclasses import dataclass

import numpy as np

from microai.types import Array, Floats, Quant

SNR_LIMIT_DB = 200.0  # beyond float64's own rounding: no difference at all


@dataclass(frozen=True)
class Error:
    """Of some elements against the float network's: sums of squares and of products, the largest
    difference, and how many are `saturated`.
    """

    count: int = 0
    signal: float = 0.0
    noise: float = 0.0
    found: float = 0.0
    product: float = 0.0
    largest: float = 0.0
    saturated: int = 0

    def __add__(self, other: "Error") -> "Error":
        return Error(
            self.count + other.count,
            self.signal + other.signal,
            self.noise + other.noise,
            self.found + other.found,
            self.product + other.product,
            max(self.largest, other.largest),
            self.saturated + other.saturated,
        )

    @property
    def snr_db(self) -> float:
        """10 log10 of signal over noise power, within +-200: 200 is no difference at all."""
        if self.noise == 0:
            return SNR_LIMIT_DB
        ratio_db = 10 * math.log10(self.signal / self.noise) if self.signal else -SNR_LIMIT_DB
        return min(max(ratio_db, -SNR_LIMIT_DB), SNR_LIMIT_DB)

    @property
    def cosine(self) -> float:
        """Of the angle between both, -1 to 1; of two zeros 1, of one 0."""
        if not self.signal or not self.found:
            return 1.0 if self.signal == self.found else 0.0
        return min(max(self.product / math.sqrt(self.signal * self.found), -1.0), 1.0)

    @property
    def saturation(self) -> float:
        """The share of elements that are saturated."""
        return self.saturated / self.count if self.count else 0.0


def error(real: Array, found: Array, quant: Quant | None) -> Error:
    """Of `found`, real numbers that come from `quant`, against `real`, both of one shape."""
    expected, got = real.astype(np.float64).ravel(), found.astype(np.float64).ravel()
    apart = got - expected
    return Error(
        count=expected.size,
        signal=float(expected @ expected),
        noise=float(apart @ apart),
        found=float(got @ got),
        product=float(expected @ got),
        largest=float(np.abs(apart).max(initial=0)),
        saturated=saturated(expected, got, quant) if quant else 0,
    )


def saturated(real: Floats, found: Floats, quant: Quant) -> int:
    """How many elements stand at an end of the storage that their real value exceeds by more than
    rounding can.
    """
    scale = quant.scale[0]
    low, high = ((limit - quant.zero) * scale for limit in (quant.low, quant.high))
    half = scale / 2 if quant.rounding == "nearest" else scale
    below = (found <= low) & (real < low - half)
    above = (found >= high) & (real > high + half)
    return int((below | above).sum())
