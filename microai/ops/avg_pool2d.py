# SPDX-License-Identifier: Apache-2.0
"""Mean over a window. A window as large as the image pools globally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import clamp_ints, multiplier_shift, settle_sum
from microai.op import Accumulator, CParams, Op
from microai.ops._window import Pads, Pair, Window, pad_nchw, patches, to_nhwc
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AvgPool2d(Op):
    """x (1, H, W, C) -> (1, out_h, out_w, C). `count_pads`: padding counts as zeros, or not."""

    kernel: Pair
    stride: Pair
    pads: Pads = (0, 0, 0, 0)
    count_pads: bool = True

    @property
    def window(self) -> Window:
        """Its geometry."""
        return Window(self.kernel, self.stride, self.pads)

    def infer(self, x: TensorType) -> TensorType:
        height, width = self.window.output(x, "AvgPool2d")
        if max(self.pads[:2]) >= self.kernel[0] or max(self.pads[2:]) >= self.kernel[1]:
            raise ShapeError(f"AvgPool2d: pads {self.pads} leave windows of {self.kernel} empty")
        return TensorType((1, height, width, x.shape[3]))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn.functional import avg_pool2d

        y = to_nhwc(avg_pool2d(pad_nchw(x, self.window), self.kernel, self.stride))
        area = self.kernel[0] * self.kernel[1]
        counts = torch.as_tensor(self._counts((x.shape[1], x.shape[2])))
        return y * (area / counts)[None, :, :, None].to(y.dtype)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        sums = patches(x.centered, self.window, fill=0).sum(axis=(4, 5))
        counts = self._counts((x.ints.shape[1], x.ints.shape[2]))
        scaling = multiplier_shift(_ratios(counts, x.quant, out))
        multipliers = np.asarray(scaling.multipliers)[counts - counts.min()]
        return settle_sum(sums * multipliers[None, :, :, None], scaling.shift, out, (None, None))

    def accumulator(self, x: TensorType, out: TensorType) -> Accumulator:
        counts = self._counts((x.shape[1], x.shape[2]))
        ratios = _ratios(counts, x.stored, out.stored)
        bound = np.arange(counts.min(), counts.max() + 1) * x.stored.reach
        return Accumulator(bound, ratios, multiplier_shift(ratios))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        window = {**self.window.c_params(x, out), "count_pads": self.count_pads}
        if out.quant is None:
            return window
        counts = self._counts((x.shape[1], x.shape[2]))
        scaling = multiplier_shift(_ratios(counts, x.stored, out.quant))
        low, high = clamp_ints((None, None), out.quant)
        return {
            **window, "multipliers": scaling.multipliers, "shift": scaling.shift,
            "least": int(counts.min()), "x_zero": x.stored.zero, "y_zero": out.quant.zero,
            "low": low, "high": high,
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return self.window.overwrites(x, out)

    def _counts(self, image: Pair) -> Ints:
        """How many elements each window divides by."""
        ones = np.ones((1, *image, 1), np.int64)
        counts: Ints = patches(ones, self.window, fill=int(self.count_pads)).sum(axis=(4, 5))
        return counts[0, :, :, 0]


def _ratios(counts: Ints, x: Quant, out: Quant) -> list[float]:
    """Sum step over output step, for the smallest count that occurs up to the largest."""
    every = range(int(counts.min()), int(counts.max()) + 1)
    return [x.scale[0] / (out.scale[0] * count) for count in every]
