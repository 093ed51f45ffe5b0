# SPDX-License-Identifier: Apache-2.0
"""Softmax over the last axis.

In integers: a 256-entry table of exp(-d * scale) in fixed point, the same in Python and C, then
one division rounded half up. Output storage is fixed: scale 1/256, zero -128.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import divide_half_up, half_up, saturate
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

PROBABILITY = Quant("int8", (1 / 256,), zero=-128)
ONE_BITS = 22  # exp(0) is 2**22 at most: 2 * 256 * 2**22 plus a sum below 2**31 fits uint32


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
        return Storage({}, out=PROBABILITY)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        largest = x.ints.max(axis=-1, keepdims=True)
        powers = _table(x.quant, x.ints.shape[-1])[largest - x.ints]
        shares = divide_half_up(powers * 256, powers.sum(axis=-1, keepdims=True))
        return saturate(shares + out.zero, out.low, out.high)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        classes = x.shape[-1]
        sizes: CParams = {"rows": x.size // classes, "classes": classes}
        if out.quant is None:
            return sizes
        return {**sizes, "table": tuple(int(p) for p in _table(x.stored, classes))}

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)


def _table(x: Quant, classes: int) -> Ints:
    """exp(-d * scale) for d = 0..255; a sum of `classes` entries stays below 2**31."""
    bits = min(ONE_BITS, 30 - math.ceil(math.log2(classes)))
    return half_up(np.ldexp(np.exp(-np.arange(256) * x.scale[0]), bits)).astype(np.int64)
