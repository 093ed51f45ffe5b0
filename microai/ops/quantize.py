# SPDX-License-Identifier: Apache-2.0
"""float32 to integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from microai.fixedpoint import quantize
from microai.op import CParams, Op
from microai.types import Floats, Ints, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Quantize(Op):
    """x float32 -> integers of the output's storage, computed in float32 as the FPU does."""

    CONVERTS: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def run_int(self, x: Floats, out: Quant) -> Ints:
        return quantize(x.astype(np.float32), out)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        q = out.stored
        inverse = float(np.float32(1 / q.scale[0]))
        return {"size": x.size, "inverse": inverse, "zero": q.zero}
