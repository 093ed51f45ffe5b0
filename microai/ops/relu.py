# SPDX-License-Identifier: Apache-2.0
"""Rectifier, with an optional upper limit (6 for ReLU6), from 0 or from another value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from microai.errors import ShapeError
from microai.fixedpoint import Clamp, clamp_ints, saturate
from microai.op import CParams, Op, Storage
from microai.ops._linear import clamp_float, clamp_params
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Relu(Op):
    """min(max(x, low), limit). In integers the storage stays the input's: just a clamp."""

    limit: float | None = None
    low: float | None = 0.0

    @property
    def clamp(self) -> Clamp:
        """As a clamp, which the layer before can take over."""
        return (self.low, self.limit)

    def infer(self, x: TensorType) -> TensorType:
        low, high = self.clamp
        if low is not None and high is not None and not low <= high:
            raise ShapeError(f"Relu: it limits to {low}..{high}, expected low <= high")
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return clamp_float(x, self.clamp)

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return saturate(x.ints, *clamp_ints(self.clamp, out))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        if out.quant is None:
            return {"size": x.size, **clamp_params(self.clamp)}
        low, high = clamp_ints(self.clamp, out.quant)
        return {"size": x.size, "low": low, "high": high}

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)
