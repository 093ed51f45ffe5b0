# SPDX-License-Identifier: Apache-2.0
"""Elementwise product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import (
    Clamp,
    Scaling,
    clamp_ints,
    half_of,
    multiplier_shift,
    requantize,
)
from microai.op import Accumulator, CParams, Op, quant_of
from microai.ops._linear import clamp_float, clamp_params
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Mul(Op):
    """a * b: same shapes, or b (1, 1 ..., C) has one factor for each channel."""

    clamp: Clamp = (None, None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        factors = (1,) * (len(a.shape) - 1) + a.shape[-1:]
        if b.shape not in (a.shape, factors):
            raise ShapeError(f"Mul: a is {a.shape}, b is {b.shape}, expected {factors} or the same")
        return TensorType(a.shape)

    def run_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return clamp_float(a * b, self.clamp)

    def run_int(self, a: QTensor, b: QTensor, out: Quant) -> Ints:
        scaling = _scaling(a.quant, b.quant, out)
        return requantize(a.centered * b.centered, scaling, out, self.clamp)

    def accumulator(
        self, a: TensorType | QTensor, b: TensorType | QTensor, out: TensorType
    ) -> Accumulator:
        left, right = quant_of(a), quant_of(b)
        bound = np.asarray([left.reach * right.reach])
        ratio = _ratio(left, right, out.stored)
        return Accumulator(bound, [ratio], _scaling(left, right, out.stored))

    def c_params(self, a: TensorType, b: TensorType, out: TensorType) -> CParams:
        sizes: CParams = {"rows": a.size // b.size, "factors": b.size}
        if out.quant is None:
            return {**sizes, **clamp_params(self.clamp)}
        scaling = _scaling(a.stored, b.stored, out.quant)
        low, high = clamp_ints(self.clamp, out.quant)
        return {
            **sizes, "multipliers": scaling.multipliers, "shift": scaling.shift,
            "half": half_of(scaling.shift, out.quant.rounding), "b_zero": b.stored.zero,
            "x_zero": a.stored.zero, "y_zero": out.quant.zero, "low": low, "high": high,
        }  # fmt: skip

    def overwrites(self, a: TensorType, b: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0, 1) if a.shape == b.shape else (0,)


def _ratio(a: Quant, b: Quant, out: Quant) -> float:
    """The product's step over the output's."""
    return a.scale[0] * b.scale[0] / out.scale[0]


def _scaling(a: Quant, b: Quant, out: Quant) -> Scaling:
    return multiplier_shift([_ratio(a, b, out)])
