# SPDX-License-Identifier: Apache-2.0
"""Mean over a window. A window as large as the image pools globally."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.fixedpoint import clamp_ints, half_of, multiplier_shift, rescale, settle
from microai.op import Accumulator, CParams, Op
from microai.ops._window import Pads, Sizes, Window, channels_last, padded_first, patches
from microai.ops.max_pool import pooled
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AvgPool(Op):
    """x (1, ..., C) -> (1, out ..., C). `count_pads`: padding counts as zeros, or not."""

    kernel: Sizes
    stride: Sizes = ()
    pads: Pads = ()
    count_pads: bool = True

    def slug(self, x: TensorType) -> str:
        return f"avg_pool{len(x.shape) - 2}d"

    @property
    def window(self) -> Window:
        """Its geometry."""
        return Window.of(self.kernel, self.stride, self.pads)

    def infer(self, x: TensorType) -> TensorType:
        return pooled(x, self.window, "AvgPool")

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn.functional import avg_pool1d, avg_pool2d

        run = avg_pool2d if len(self.kernel) > 1 else avg_pool1d
        y = channels_last(run(padded_first(x, self.window), self.kernel, self.window.stride))
        counts = torch.as_tensor(self.counts(tuple(x.shape[1:-1])))
        return y * (math.prod(self.kernel) / counts).unsqueeze(-1).to(y.dtype)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        axes = tuple(range(-len(self.kernel), 0))
        sums = patches(x.centered, self.window, fill=0).sum(axis=axes)
        counts = self.counts(x.ints.shape[1:-1])
        scaling = multiplier_shift(_ratios(counts, x.quant, out))
        multipliers = np.asarray(scaling.multipliers)[counts - counts.min()][..., None]
        return settle(rescale(sums, multipliers, scaling.shift, out.rounding), out)

    def accumulator(self, x: TensorType, out: TensorType) -> Accumulator:
        counts = self.counts(x.shape[1:-1])
        ratios = _ratios(counts, x.stored, out.stored)
        bound = np.arange(counts.min(), counts.max() + 1) * x.stored.reach
        return Accumulator(bound, ratios, multiplier_shift(ratios))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        window = {**self.window.c_params(x, out), "count_pads": self.count_pads}
        if out.quant is None:
            return window
        counts = self.counts(x.shape[1:-1])
        scaling = multiplier_shift(_ratios(counts, x.stored, out.quant))
        low, high = clamp_ints((None, None), out.quant)
        return {
            **window, "multipliers": scaling.multipliers, "shift": scaling.shift,
            "half": half_of(scaling.shift, out.quant.rounding), "least": int(counts.min()),
            "x_zero": x.stored.zero, "y_zero": out.quant.zero, "low": low, "high": high,
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return self.window.overwrites(x, out)

    def counts(self, image: Sizes) -> Ints:
        """How many elements each window divides by: (out ...)."""
        window = self.window
        sizes = zip(image, window.kernel, window.stride, window.sides, strict=True)
        along = [_covered(*axis, whole=self.count_pads) for axis in sizes]
        counts: Ints = along[0] if len(along) == 1 else np.multiply.outer(*along)
        return counts


def _covered(size: int, kernel: int, stride: int, pads: tuple[int, int], *, whole: bool) -> Ints:
    """Of each window along one axis: its elements inside the image, or all."""
    starts = np.arange(-pads[0], size + pads[1] - kernel + 1, stride)
    if whole:
        return np.full(len(starts), kernel)
    covered: Ints = np.minimum(starts + kernel, size) - np.maximum(starts, 0)
    return np.maximum(covered, 0)


def _ratios(counts: Ints, x: Quant, out: Quant) -> list[float]:
    """Sum step over output step, for the smallest count that occurs up to the largest."""
    every = range(int(counts.min()), int(counts.max()) + 1)
    return [x.scale[0] / (out.scale[0] * count) for count in every]
