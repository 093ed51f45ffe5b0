# SPDX-License-Identifier: Apache-2.0
"""Elementwise sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from microai.fixedpoint import Clamp, requantize_sum
from microai.op import Accumulator, CParams, Op
from microai.ops._linear import clamp_float
from microai.ops._sum import alike, sum_accumulator, sum_params
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Add(Op):
    """a + b, same shapes."""

    clamp: Clamp = (None, None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        return alike(a, b, "Add")

    def run_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return clamp_float(a + b, self.clamp)

    def run_int(self, a: QTensor, b: QTensor, out: Quant) -> Ints:
        return requantize_sum(a, b, out, self.clamp)

    def accumulator(
        self, a: TensorType | QTensor, b: TensorType | QTensor, out: TensorType
    ) -> Accumulator:
        return sum_accumulator(a, b, out)

    def c_params(self, a: TensorType, b: TensorType, out: TensorType) -> CParams:
        return sum_params(a, b, out, self.clamp)

    def overwrites(self, a: TensorType, b: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0, 1)
