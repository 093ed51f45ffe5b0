# SPDX-License-Identifier: Apache-2.0
"""The same elements along other axes."""

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
class Transpose(Op):
    """Output axis i is input axis `axes[i]`; the batch stays first. The storage stays the
    input's.
    """

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        rank = len(x.shape)
        if sorted(self.axes) != list(range(rank)) or self.axes[0] != 0 or not 2 <= rank <= 4:
            raise ShapeError(f"Transpose: axes are {self.axes}, input is {x.shape}; batch first")
        return TensorType(tuple(x.shape[axis] for axis in self.axes))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(self.axes)

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return x.ints.transpose(self.axes)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        each = np.dtype(x.element).itemsize
        steps = [each * math.prod(x.shape[axis + 1 :]) for axis in self.axes]
        return {
            "sizes": (1, 1, *out.shape[1:])[-3:], "steps": (0, 0, *steps[1:])[-3:], "bytes": each,
        }  # fmt: skip
