# SPDX-License-Identifier: Apache-2.0
"""Fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from microai.errors import ShapeError
from microai.fixedpoint import Clamp
from microai.op import Accumulator, CParams, Op, Storage
from microai.ops._linear import (
    bias_storage,
    clamp_float,
    exact_matmul,
    linear_accumulator,
    linear_params,
    linear_requantize,
)
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Dense(Op):
    """x (1, I), w (O, I), b (O) -> (1, O)."""

    CHANNEL_AXIS: ClassVar = {1: 0, 2: 0}

    clamp: Clamp = (None, None)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        if len(w.shape) != 2 or x.shape != (1, w.shape[1]) or b.shape != w.shape[:1]:
            raise ShapeError(
                f"Dense: x is {x.shape}, w is {w.shape}, b is {b.shape}, expected 1I, OI and O"
            )
        return TensorType((1, w.shape[0]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return clamp_float(x @ w.T + b, self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        acc = exact_matmul(x.centered, w.ints.T) + b.ints
        return linear_requantize(acc, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints, out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        rows, cols = w.shape
        return {"rows": rows, "cols": cols, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return w.size
