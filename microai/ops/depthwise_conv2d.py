# SPDX-License-Identifier: Apache-2.0
"""2-D convolution of each channel with its own kernel."""

from __future__ import annotations

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
from microai.ops._window import Pads, Pair, Window, pad_nchw, patches, to_nhwc
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DepthwiseConv2d(Op):
    """x (1, H, W, C), w (k_h, k_w, C), b (C) -> (1, out_h, out_w, C)."""

    CHANNEL_AXIS: ClassVar = {1: 2, 2: 0}

    stride: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    clamp: Clamp = (None, None)

    def _window(self, kernel: tuple[int, ...]) -> Window:
        return Window((kernel[0], kernel[1]), self.stride, self.pads)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        if len(w.shape) != 3 or b.shape != w.shape[2:]:
            raise ShapeError(f"DepthwiseConv2d: w is {w.shape}, b is {b.shape}, expected HWC and C")
        height, width = self._window(w.shape).output(x, "DepthwiseConv2d")
        if x.shape[3] != w.shape[2]:
            raise ShapeError(f"DepthwiseConv2d: x is {x.shape}, w is {w.shape}")
        return TensorType((1, height, width, w.shape[2]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv2d

        window = self._window(tuple(w.shape))
        weight = w.permute(2, 0, 1).unsqueeze(1)
        y = conv2d(pad_nchw(x, window), weight, b, self.stride, groups=w.shape[2])
        return clamp_float(to_nhwc(y), self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        views = patches(x.centered, self._window(w.ints.shape), fill=0)
        acc = np.einsum("nyxckl,klc->nyxc", views, w.ints) + b.ints
        return linear_requantize(acc, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints.reshape(-1, w.ints.shape[2]).T, out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        window = self._window(w.shape).c_params(x, out)
        return {**window, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return out.size * w.shape[0] * w.shape[1]
