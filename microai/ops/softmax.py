# SPDX-License-Identifier: Apache-2.0
"""Softmax over the last axis.

In integers: a table of exp(-d * scale) in fixed point, the same in Python and C, then one division.
int16 has two of them, for d's upper and lower byte, and multiplies. The output is stored as it was
proposed where that is Qm.n, else with scale 1/256 from -128 (int8) or 1/32768 (int16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import divide, half_up, saturate
from microai.op import CParams, Op, Storage
from microai.types import Floats, Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

PROBABILITY = {
    "int8": Quant("int8", (1 / 256,), zero=-128),
    "int16": Quant("int16", (1 / 32768,)),
}
ONE_BITS = 22  # exp(0) is 2**22 at most: 2 * 256 * 2**22 plus a sum below 2**31 fits uint32
LOWER_BITS = 16  # of the second table


@dataclass(frozen=True)
class Softmax(Op):
    """x (1, N) or (1, H, W, N) -> the same shape, summing to 1 along N."""

    def infer(self, x: TensorType) -> TensorType:
        if len(x.shape) < 2:
            raise ShapeError(f"Softmax: input is {x.shape}, expected batch and at least one axis")
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x.softmax(dim=-1)

    def storage(self, x: Quant, out: Quant) -> Storage:
        limit = PROBABILITY[out.dtype]
        fits = out.fixed_point and limit.scale[0] <= out.scale[0] <= 1
        return Storage({}, out=None if fits else replace(limit, rounding=out.rounding))

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        largest = x.ints.max(axis=-1, keepdims=True)
        powers = _powers(x.quant, x.ints.shape[-1], largest - x.ints)
        one = round(1 / out.scale[0])
        shares = divide(powers * one, powers.sum(axis=-1, keepdims=True), out.rounding)
        return saturate(shares + out.zero, out.low, out.high)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        classes = x.shape[-1]
        sizes: CParams = {"rows": x.size // classes, "classes": classes}
        if out.quant is None:
            return sizes
        table = tuple(int(p) for p in _table(x.stored, classes))
        quant = out.stored
        return {
            **sizes, "table": table, "one": round(1 / quant.scale[0]), "y_zero": quant.zero,
            "table_type": "uint32_t", "nearest": quant.rounding == "nearest", "high": quant.high,
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)


def _powers(x: Quant, classes: int, distance: Ints) -> Ints:
    """exp(-distance * scale) in fixed point."""
    table = _table(x, classes)
    if x.dtype == "int8":
        return table[distance]
    product = table[distance >> 8] * table[256 + (distance & 255)]
    powers: Ints = (product + (1 << (LOWER_BITS - 1))) >> LOWER_BITS
    return powers


def _table(x: Quant, classes: int) -> Ints:
    """exp(-d * scale), d = 0..255 (int8), or d = 0, 256 .. 65280, then 0..255 (int16).

    A sum of `classes` entries of the first 256 stays below 2**31.
    """
    bits = min(ONE_BITS, 30 - math.ceil(math.log2(classes)))
    bytes_ = np.arange(256)
    if x.dtype == "int8":
        return _exponentials(bytes_ * x.scale[0], bits)
    upper = _exponentials(bytes_ * 256 * x.scale[0], bits)
    return np.concatenate([upper, _exponentials(bytes_ * x.scale[0], LOWER_BITS)])


def _exponentials(x: Floats, bits: int) -> Ints:
    """exp(-x), `bits` after the point."""
    return half_up(np.ldexp(np.exp(-x), bits)).astype(np.int64)
