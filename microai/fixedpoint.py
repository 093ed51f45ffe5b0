# SPDX-License-Identifier: Apache-2.0
"""The arithmetic contract; every rounding in the project is here, in one step.

requantize: y = saturate(((acc * M + 2**(s - 1)) >> s) + zero), exact product, floor shift: half up.
Storage that rounds to `floor` leaves the 2**(s - 1) out.
One shift s for a node, one multiplier M < 2**31 for each output channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microai.errors import UnsupportedError
from microai.types import Floats, Ints, QTensor, Quant, Rounding

MULTIPLIER_BITS = 31
MAX_SHIFT = 62  # |acc * M| < 2**62, so the sum with 2**61 stays inside int64
LARGEST_SUM = 1 << 53  # what the rules' float64 products hold exactly
SUM_LIMITS = {"int8": (15, 30), "int16": (31, 46)}
"""Multiplier bits and largest shift of a two-term sum. int8: |q - zero| < 2**9 twice, times 2**15,
plus 2**29 stays inside int32. int16: a 64-bit sum; 16-bit multipliers would err by a step."""

Clamp = tuple[float | None, float | None]
"""Lowest and highest real value of an output; None is no limit."""


@dataclass(frozen=True)
class Scaling:
    """multiplier[c] / 2**shift stands for the real ratio of channel c."""

    multipliers: tuple[int, ...]
    shift: int

    def errors(self, ratios: Sequence[float]) -> Floats:
        """|multiplier / 2**shift - ratio| of each channel."""
        stands_for = np.ldexp(np.asarray(self.multipliers, float), -self.shift)
        errors: Floats = np.abs(stands_for - np.asarray(ratios))
        return errors


def half_up(x: Floats) -> Floats:
    """Nearest integer, ties towards +infinity; exact in the precision of x.

    floor(x + 0.5) would round 0.5 - 2**-26 up in float32: the sum itself rounds.
    """
    whole = np.floor(x)
    rounded: Floats = whole + (x - whole >= 0.5)
    return rounded


def divide(numerator: Ints, denominator: Ints, rounding: Rounding) -> Ints:
    """numerator / denominator; denominator > 0."""
    half = denominator if rounding == "nearest" else 0
    return (2 * numerator + half) // (2 * denominator)


def half_of(shift: int, rounding: Rounding) -> int:
    """What is added before a shift to round as the storage does."""
    return 1 << (shift - 1) if rounding == "nearest" else 0


def saturate(ints: Ints, low: int, high: int) -> Ints:
    """Ints limited to low..high."""
    return np.clip(ints, low, high)


def channelwise(quant: Quant, rank: int) -> Floats:
    """The scale shaped to broadcast against a tensor of `rank` dimensions."""
    scale = np.asarray(quant.scale)
    if len(scale) == 1:
        return scale.reshape(())
    return scale.reshape([-1 if axis == quant.axis else 1 for axis in range(rank)])


def quantize(x: Floats, quant: Quant) -> Ints:
    """Real numbers as integers; computed in x's own precision. NaN becomes the lowest value."""
    inverse = (1 / channelwise(quant, x.ndim)).astype(x.dtype)
    scaled = np.clip(x * inverse, quant.low - quant.zero, quant.high - quant.zero)
    whole = half_up if quant.rounding == "nearest" else np.floor
    rounded = whole(np.where(np.isnan(scaled), quant.low - quant.zero, scaled))
    return rounded.astype(np.int64) + quant.zero


def dequantize(q: QTensor) -> Floats:
    """Integers as real numbers, float64."""
    reals: Floats = q.centered * channelwise(q.quant, q.ints.ndim)
    return reals


def clamp_ints(clamp: Clamp, out: Quant) -> tuple[int, int]:
    """The integer limits of `out` that a real clamp leaves."""
    low, high = clamp
    limits = np.asarray([-np.inf if low is None else low, np.inf if high is None else high])
    lowest, highest = quantize(limits, out)
    return int(lowest), int(highest)


def multiplier_shift(
    ratios: Sequence[float], bits: int = MULTIPLIER_BITS, max_shift: int = MAX_SHIFT
) -> Scaling:
    """One shift for all, set by the largest ratio; multipliers < 2**bits.

    Raises UnsupportedError when a ratio is so large that no shift is left.
    """
    shift = min(bits - math.frexp(max(ratios))[1], max_shift)
    multipliers = _multipliers(ratios, shift)
    if max(multipliers) >> bits:
        shift -= 1
        multipliers = _multipliers(ratios, shift)
    if shift < 1:
        raise UnsupportedError(
            f"a rescale by {max(ratios):.3g} needs more than {bits} bits; "
            "the output's range is far too small for its inputs: recalibrate"
        )
    return Scaling(multipliers, shift)


def _multipliers(ratios: Sequence[float], shift: int) -> tuple[int, ...]:
    """Each ratio times 2**shift, rounded."""
    return tuple(int(m) for m in half_up(np.ldexp(np.asarray(ratios, float), shift)))


def rescale(acc: Ints, multipliers: Ints, shift: int, rounding: Rounding) -> Ints:
    """acc * multiplier / 2**shift, rounded; exact where |acc| < 2**53 and the result is in int64.

    Sums beyond int32 are split at 32 bits, so that no product leaves int64.
    """
    half = half_of(shift, rounding)
    if np.abs(acc).max(initial=0) < 1 << 31:
        return (acc * multipliers + half) >> shift
    high, low = acc >> 32, acc & 0xFFFFFFFF
    if shift > 32:
        return (high * multipliers + ((low * multipliers) >> 32) + (half >> 32)) >> (shift - 32)
    return (high * multipliers << (32 - shift)) + ((low * multipliers + half) >> shift)


def requantize(acc: Ints, scaling: Scaling, out: Quant, clamp: Clamp = (None, None)) -> Ints:
    """Accumulators (channels last) as `out` integers."""
    multipliers = np.asarray(scaling.multipliers, np.int64)
    return settle(rescale(acc, multipliers, scaling.shift, out.rounding), out, clamp)


def settle(rounded: Ints, out: Quant, clamp: Clamp = (None, None)) -> Ints:
    """Add the zero point, saturate."""
    return saturate(rounded + out.zero, *clamp_ints(clamp, out))


def sum_scaling(a: Quant, b: Quant, out: Quant) -> Scaling:
    """Two multipliers with one shift for a sum of two terms.

    Its error is below 0.01 steps of the output, or of the coarser term where that is coarser.
    """
    ratios = [a.scale[0] / out.scale[0], b.scale[0] / out.scale[0]]
    return multiplier_shift(ratios, *SUM_LIMITS[out.dtype])


def requantize_sum(
    a: QTensor, b: QTensor, out: Quant, clamp: Clamp = (None, None), sign: int = 1
) -> Ints:
    """a + sign * b as `out` integers: one rounding of a two-term sum."""
    scaling = sum_scaling(a.quant, b.quant, out)
    a_multiplier, b_multiplier = scaling.multipliers
    total = a.centered * a_multiplier + sign * b.centered * b_multiplier
    rounded = (total + half_of(scaling.shift, out.rounding)) >> scaling.shift
    return settle(rounded, out, clamp)
