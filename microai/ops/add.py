# SPDX-License-Identifier: Apache-2.0
"""Elementwise sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import Clamp, clamp_ints, half_of, requantize_sum, sum_scaling
from microai.op import Accumulator, CParams, Op, quant_of
from microai.ops._linear import clamp_float, clamp_params
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Add(Op):
    """a + b, same shapes."""

    clamp: Clamp = (None, None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        if a.shape != b.shape:
            raise ShapeError(f"Add: a is {a.shape}, b is {b.shape}; shapes must be equal")
        return TensorType(a.shape)

    def run_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return clamp_float(a + b, self.clamp)

    def run_int(self, a: QTensor, b: QTensor, out: Quant) -> Ints:
        return requantize_sum(a, b, out, self.clamp)

    def accumulator(
        self, a: TensorType | QTensor, b: TensorType | QTensor, out: TensorType
    ) -> Accumulator:
        terms = (quant_of(a), quant_of(b))
        ratios = [term.scale[0] / out.stored.scale[0] for term in terms]
        scaling = sum_scaling(*terms, out.stored)
        return Accumulator(np.asarray([term.reach for term in terms]), ratios, scaling)

    def c_params(self, a: TensorType, b: TensorType, out: TensorType) -> CParams:
        if out.quant is None:
            return {"size": out.size, **clamp_params(self.clamp)}
        scaling = sum_scaling(a.stored, b.stored, out.stored)
        low, high = clamp_ints(self.clamp, out.stored)
        return {
            "size": out.size, "a_zero": a.stored.zero, "b_zero": b.stored.zero,
            "a_multiplier": scaling.multipliers[0], "b_multiplier": scaling.multipliers[1],
            "shift": scaling.shift, "half": half_of(scaling.shift, out.stored.rounding),
            "y_zero": out.stored.zero, "low": low, "high": high,
        }  # fmt: skip

    def overwrites(self, a: TensorType, b: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0, 1)
