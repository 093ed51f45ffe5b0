# SPDX-License-Identifier: Apache-2.0
"""Which channel is the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

INDEX = Quant("int32", (1.0,))


@dataclass(frozen=True)
class ArgMax(Op):
    """x (1, ..., C) -> (1, ..., 1): the first index of the largest value, as int32 where x is
    integer, as float32 where it is float32.
    """

    def infer(self, x: TensorType) -> TensorType:
        if len(x.shape) < 2:
            raise ShapeError(f"ArgMax: input is {x.shape}, expected batch and at least one axis")
        return TensorType((*x.shape[:-1], 1))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmax(dim=-1, keepdim=True).to(x.dtype)

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=INDEX)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return np.expand_dims(x.ints.argmax(axis=-1), -1)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        return {"rows": out.size, "classes": x.shape[-1]}
