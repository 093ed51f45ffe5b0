# SPDX-License-Identifier: Apache-2.0
"""Convolution of each channel with its own kernel, over one or two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import Clamp
from microai.op import Accumulator, CParams, Op, Storage
from microai.ops._linear import (
    bias_storage,
    clamp_float,
    linear_accumulator,
    linear_params,
    linear_requantize,
)
from microai.ops._window import Pads, Sizes, Window, channels_last, padded_first, patches
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DepthwiseConv(Op):
    """x (1, ..., C), w (kernel ..., C), b (C) -> (1, out ..., C)."""

    CHANNEL_AXIS: ClassVar = {1: -1, 2: 0}

    stride: Sizes = ()
    pads: Pads = ()
    dilation: Sizes = ()
    clamp: Clamp = (None, None)

    def slug(self, x: TensorType, w: TensorType, b: TensorType) -> str:
        return f"depthwise_conv{len(x.shape) - 2}d"

    def window(self, w: tuple[int, ...]) -> Window:
        """Its geometry with weights of a shape."""
        return Window.of(w[:-1], self.stride, self.pads, self.dilation)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        if len(w.shape) not in (2, 3) or b.shape != w.shape[-1:]:
            raise ShapeError(
                f"DepthwiseConv: w is {w.shape}, b is {b.shape}, expected kernel, C and C"
            )
        size = self.window(w.shape).output(x, "DepthwiseConv")
        if x.shape[-1] != w.shape[-1]:
            raise ShapeError(f"DepthwiseConv: x is {x.shape}, w is {w.shape}")
        return TensorType((1, *size, w.shape[-1]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv1d, conv2d

        window = self.window(tuple(w.shape))
        image, taps = padded_first(x, window), w.movedim(-1, 0).unsqueeze(1)
        run = conv2d if len(window.kernel) > 1 else conv1d
        y = run(image, taps, b, window.stride, 0, window.dilation, w.shape[-1])
        return clamp_float(channels_last(y), self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        views = patches(x.centered, self.window(w.ints.shape), fill=0)
        taps = np.moveaxis(w.ints, -1, 0)
        axes = tuple(range(-taps.ndim + 1, 0))
        return linear_requantize((views * taps).sum(axis=axes) + b.ints, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints.reshape(-1, w.ints.shape[-1]).T, out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        window = self.window(w.shape).c_params(x, out)
        return {**window, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return out.size * math.prod(w.shape[:-1])
