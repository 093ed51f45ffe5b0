# SPDX-License-Identifier: Apache-2.0
"""What formats say of integers, as a Quant: signed, one zero point, scales along one axis."""

from dataclasses import replace

import numpy as np

from microai.frontends.builder import RefusedError, Weight
from microai.types import INT_BITS, Array, Quant, TensorType

LARGEST = 2.0**126  # a scale whose inverse is a float32 as well
SIGNED = {"uint8": "int8", "uint16": "int16"}
"""Unsigned storage is the signed one, half its range lower: the same integers, less 128."""


def quant_of(dtype: str, scale: Array, zero: Array, axis: int = 0) -> Quant:
    """One scale, or one for each index of `axis`; zero points of channels must be equal."""
    signed = SIGNED.get(dtype, dtype)
    if signed not in INT_BITS:
        raise RefusedError(f"it is stored as {dtype}", "int8 or int16")
    scale, zero = np.ravel(scale), np.ravel(zero).astype(np.int64) - _excess(dtype)
    if not scale.size or not np.all((scale >= 1 / LARGEST) & (scale <= LARGEST)):
        raise RefusedError(f"its scale is {scale[:4].tolist()}", "positive finite numbers")
    limits = Quant(signed, (1.0,))
    if (
        len(set(zero.tolist())) > 1
        or not limits.low <= (zero[0] if zero.size else 0) <= limits.high
    ):
        raise RefusedError(
            f"its zero points are {np.unique(zero)[:4].tolist()}", f"one in {signed}"
        )
    scales = tuple(float(s) for s in scale)
    return Quant(signed, scales, int(zero[0]) if zero.size else 0, axis)


def weight_of(name: str, array: Array, quant: Quant) -> Weight:
    """A constant in that storage; unsigned integers become signed."""
    check_scales(name, array, quant)
    if array.dtype.kind not in "iu":
        raise RefusedError(f"{name} is {array.dtype} with a scale", "integers")
    signed = array.astype(np.int64) - _excess(str(array.dtype))
    if signed.min(initial=0) < quant.low or signed.max(initial=0) > quant.high:
        raise RefusedError(f"{name} leaves {quant.dtype}")
    return Weight(name, signed.astype(TensorType((), quant).element), quant)


def check_scales(name: str, array: Array, quant: Quant) -> None:
    """RefusedError unless there is one scale, or one for each index of its axis."""
    axis, scales = quant.axis, len(quant.scale)
    if scales > 1 and (not 0 <= axis < array.ndim or array.shape[axis] != scales):
        raise RefusedError(f"{name} is {array.shape} with {scales} scales along axis {axis}")


def centered(weight: Weight, axis: int) -> Weight:
    """A layer's weights: zero point 0, scales along `axis` where there are several."""
    quant = weight.quant
    if quant is None:
        return weight
    if len(quant.scale) > 1 and quant.axis != axis:
        raise RefusedError(
            f"its weights have a scale for each index of axis {quant.axis}",
            f"one scale, or one for each output channel, axis {axis}",
        )
    moved = weight.array.astype(np.int64) - quant.zero
    if moved.min(initial=0) < quant.low or moved.max(initial=0) > quant.high:
        raise RefusedError(f"its weights have zero point {quant.zero}", "symmetric weights")
    return replace(weight, array=moved.astype(weight.array.dtype), quant=replace(quant, zero=0))


def _excess(dtype: str) -> int:
    """How far unsigned storage lies above the signed one."""
    return 1 << (INT_BITS[SIGNED[dtype]] - 1) if dtype in SIGNED else 0
