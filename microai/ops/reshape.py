# SPDX-License-Identifier: Apache-2.0
"""The same elements under another shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Reshape(Op):
    """Row-major; `shape` begins with batch 1."""

    shape: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if math.prod(self.shape) != x.size or self.shape[:1] != (1,):
            raise ShapeError(f"Reshape: {x.shape} does not fit {self.shape}, batch 1 first")
        return TensorType(self.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], *self.shape[1:])

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return x.ints.reshape(x.ints.shape[0], *self.shape[1:])

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        assert x.bytes == out.bytes
        return {"bytes": out.bytes}

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)
