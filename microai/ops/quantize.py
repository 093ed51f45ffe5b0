# SPDX-License-Identifier: Apache-2.0
"""Into integers: from float32, or from integers of another storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from microai.fixedpoint import clamp_ints, half_of, multiplier_shift, quantize, requantize
from microai.op import Accumulator, CParams, Op
from microai.types import Floats, Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Quantize(Op):
    """x float32 -> integers, computed in float32 as the FPU does; x integers -> one rescale."""

    CONVERTS: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def run_int(self, x: Floats | QTensor, out: Quant) -> Ints:
        if not isinstance(x, QTensor):
            return quantize(x.astype(np.float32), out)
        scaling = multiplier_shift([x.quant.scale[0] / out.scale[0]])
        return requantize(x.centered, scaling, out)

    def accumulator(self, x: TensorType | QTensor, out: TensorType) -> Accumulator | None:
        quant = x.quant
        if quant is None:
            return None
        ratios = [quant.scale[0] / out.stored.scale[0]]
        return Accumulator(np.asarray([quant.reach]), ratios, multiplier_shift(ratios))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        q = out.stored
        if x.quant is None:
            inverse = float(np.float32(1 / q.scale[0]))
            threshold = 0.5 if q.rounding == "nearest" else 2.0
            return {"size": x.size, "inverse": inverse, "threshold": threshold, "zero": q.zero}
        scaling = multiplier_shift([x.quant.scale[0] / q.scale[0]])
        low, high = clamp_ints((None, None), q)
        return {
            "size": x.size, "multipliers": scaling.multipliers, "shift": scaling.shift,
            "half": half_of(scaling.shift, q.rounding),
            "x_zero": x.quant.zero, "y_zero": q.zero, "low": low, "high": high,
        }  # fmt: skip
