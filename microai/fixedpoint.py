# SPDX-License-Identifier: Apache-2.0
"""The arithmetic contract; every rounding in the project is here, and is half up, in one step.

requantize: y = saturate(((acc * M + 2**(s - 1)) >> s) + zero), 64-bit product, floor shift.
One shift s for a node, one multiplier M < 2**31 for each output channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microai.errors import UnsupportedError
from microai.types import Floats, Ints, QTensor, Quant

MULTIPLIER_BITS = 31
MAX_SHIFT = 62  # |acc * M| < 2**62, so the sum with 2**61 stays inside int64
SUM_MULTIPLIER_BITS = 15  # |q - zero| < 2**9 twice, times 2**15, plus 2**29 stays inside int32
SUM_MAX_SHIFT = 30

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


def divide_half_up(numerator: Ints, denominator: Ints) -> Ints:
    """numerator / denominator, ties up; denominator > 0."""
    return (2 * numerator + denominator) // (2 * denominator)


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
    rounded = half_up(np.where(np.isnan(scaled), quant.low - quant.zero, scaled))
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


def requantize(acc: Ints, scaling: Scaling, out: Quant, clamp: Clamp = (None, None)) -> Ints:
    """Accumulators (channels last) as `out` integers."""
    product = acc * np.asarray(scaling.multipliers, np.int64)
    return settle_sum(product, scaling.shift, out, clamp)


def settle_sum(product: Ints, shift: int, out: Quant, clamp: Clamp) -> Ints:
    """Round a product or a sum of products, add the zero point, saturate."""
    rounded = (product + (1 << (shift - 1))) >> shift
    return saturate(rounded + out.zero, *clamp_ints(clamp, out))


def sum_scaling(a: Quant, b: Quant, out: Quant) -> Scaling:
    """Two multipliers < 2**15 with one shift: an int32 sum.

    Its error is below 0.01 steps of the output, or of the coarser term where that is coarser.
    """
    ratios = [a.scale[0] / out.scale[0], b.scale[0] / out.scale[0]]
    return multiplier_shift(ratios, SUM_MULTIPLIER_BITS, SUM_MAX_SHIFT)


def requantize_sum(a: QTensor, b: QTensor, out: Quant, clamp: Clamp = (None, None)) -> Ints:
    """a + b as `out` integers: one rounding of a two-term sum."""
    scaling = sum_scaling(a.quant, b.quant, out)
    a_multiplier, b_multiplier = scaling.multipliers
    total = a.centered * a_multiplier + b.centered * b_multiplier
    return settle_sum(total, scaling.shift, out, clamp)
