# SPDX-License-Identifier: Apache-2.0
"""The integer storage that a scheme has for a range of real numbers."""

from dataclasses import replace

import numpy as np

from microai.fixedpoint import quantize as to_ints
from microai.quantize.scheme import Scheme
from microai.types import INT_BITS, Floats, Quant


def activation(low: float, high: float, scheme: Scheme) -> Quant | None:
    """Storage for values from low to high."""
    if scheme.activations is None:
        return None
    if scheme.kind == "affine":
        return replace(affine(low, high, scheme.activations), rounding=scheme.rounding)
    scale = _scales(np.asarray([max(abs(low), abs(high))]), scheme.activations, scheme)
    return Quant(scheme.activations, scale, rounding=scheme.rounding)


def symmetric(largest: Floats, dtype: str, axis: int, scheme: Scheme) -> Quant:
    """Storage around 0 for magnitudes up to `largest`: one, or one for each index of `axis`."""
    return Quant(dtype, _scales(largest, dtype, scheme), axis=axis, rounding=scheme.rounding)


def _scales(largest: Floats, dtype: str, scheme: Scheme) -> tuple[float, ...]:
    """A scale for each largest magnitude.

    A channel of zeros takes the tensor's largest scale: it must not cost the others precision.
    """
    if scheme.fraction_bits is not None:
        return (2.0**-scheme.fraction_bits,) * len(largest)
    bits = bits_of(dtype, scheme)
    limit = (1 << (bits - 1)) - 1
    scale = np.exp2(qmn_exponents(largest, bits)) if scheme.kind == "qmn" else largest / limit
    scale[largest == 0] = scale[largest > 0].max(initial=0) or 1 / (limit + 1)
    return tuple(scale.tolist())


def qmn_exponents(largest: Floats, bits: int) -> Floats:
    """-n of the Qm.n that holds each magnitude: m = 1 + floor(log2 max|x|), n = bits - m - 1."""
    exponents: Floats = np.frexp(np.maximum(largest, 2.0**-60))[1] - float(bits - 1)
    return exponents


def bits_of(dtype: str, scheme: Scheme) -> int:
    """How many bits of the storage the scheme uses."""
    return min(INT_BITS[dtype], scheme.bits or INT_BITS[dtype])


def limits_of(dtype: str, scheme: Scheme) -> tuple[int, int]:
    """The smallest and the largest integer of those bits."""
    end = 1 << (bits_of(dtype, scheme) - 1)
    return -end, end - 1


def affine(low: float, high: float, dtype: str) -> Quant:
    """The whole range of `dtype` on low..high, with 0 among the values."""
    low, high = min(low, 0.0), max(high, 0.0)
    limits = Quant(dtype, (1.0,))
    scale = float(np.float32((high - low) / (limits.high - limits.low)))
    if scale == 0:
        return limits
    zero = limits.low + int(to_ints(np.asarray(-low), Quant("int32", (scale,))))
    return Quant(dtype, (scale,), min(zero, limits.high))
