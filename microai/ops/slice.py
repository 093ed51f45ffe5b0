# SPDX-License-Identifier: Apache-2.0
"""A part of a tensor along one axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Slice(Op):
    """Indices start, start + step, ... below stop of one axis. The storage stays the input's."""

    axis: int
    start: int
    stop: int
    step: int = 1

    def infer(self, x: TensorType) -> TensorType:
        if not 1 <= self.axis < len(x.shape):
            raise ShapeError(f"Slice: axis is {self.axis}, input is {x.shape}, batch stays whole")
        if not 0 <= self.start < self.stop <= x.shape[self.axis] or self.step < 1:
            raise ShapeError(
                f"Slice: {self.start}:{self.stop}:{self.step} of axis {self.axis} of {x.shape}"
            )
        size = len(range(self.start, self.stop, self.step))
        return TensorType((*x.shape[: self.axis], size, *x.shape[self.axis + 1 :]))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x[self._index()]

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return x.ints[self._index()]

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        each = math.prod(x.shape[self.axis + 1 :]) * np.dtype(x.dtype).itemsize
        count = out.shape[self.axis]
        together = count if self.step == 1 else 1  # neighbours move as one block
        return {
            "rows": math.prod(x.shape[: self.axis]), "row_bytes": x.shape[self.axis] * each,
            "start_bytes": self.start * each, "blocks": count // together,
            "step_bytes": self.step * each, "block_bytes": together * each,
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)

    def _index(self) -> tuple[slice, ...]:
        return (*(slice(None),) * self.axis, slice(self.start, self.stop, self.step))
