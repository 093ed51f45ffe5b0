# SPDX-License-Identifier: Apache-2.0
"""Integers to float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from microai.op import CParams, Op
from microai.types import Floats, QTensor, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Dequantize(Op):
    """scale * (q - zero), one float32 multiplication."""

    CONVERTS: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def run_int(self, x: QTensor, out: None) -> Floats:
        return x.centered.astype(np.float32) * np.float32(x.quant.scale[0])

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        q = x.stored
        return {"size": out.size, "scale": float(np.float32(q.scale[0])), "zero": q.zero}
