# SPDX-License-Identifier: Apache-2.0
"""2-D convolution, with groups."""

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
    exact_matmul,
    linear_accumulator,
    linear_params,
    linear_requantize,
)
from microai.ops._window import Pads, Pair, Window, pad_nchw, patches, to_nhwc
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Conv2d(Op):
    """x (1, H, W, I), w (O, k_h, k_w, I / groups), b (O) -> (1, out_h, out_w, O)."""

    CHANNEL_AXIS: ClassVar = {1: 0, 2: 0}

    stride: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    groups: int = 1
    clamp: Clamp = (None, None)

    def _window(self, kernel: tuple[int, ...]) -> Window:
        return Window((kernel[1], kernel[2]), self.stride, self.pads)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        if len(w.shape) != 4 or b.shape != w.shape[:1]:
            raise ShapeError(f"Conv2d: w is {w.shape}, b is {b.shape}, expected OHWI and O")
        height, width = self._window(w.shape).output(x, "Conv2d")
        if x.shape[3] != w.shape[3] * self.groups or w.shape[0] % self.groups:
            raise ShapeError(f"Conv2d: x is {x.shape}, w is {w.shape}, groups is {self.groups}")
        return TensorType((1, height, width, w.shape[0]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv2d

        window = self._window(tuple(w.shape))
        weight = w.permute(0, 3, 1, 2)
        y = conv2d(pad_nchw(x, window), weight, b, self.stride, groups=self.groups)
        return clamp_float(to_nhwc(y), self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        groups = zip(
            np.split(x.centered, self.groups, axis=3),
            np.split(w.ints, self.groups, axis=0),
            strict=True,
        )
        window = self._window(w.ints.shape)
        acc = np.concatenate([_sums(part, taps, window) for part, taps in groups], axis=3)
        return linear_requantize(acc + b.ints, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints.reshape(len(w.ints), -1), out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        window = self._window(w.shape).c_params(x, out)
        return {**window, "groups": self.groups, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return out.size * w.size // w.shape[0]


def _sums(x: Ints, w: Ints, window: Window) -> Ints:
    """Weighted sums of one group; x is centered, so padding is 0."""
    views = patches(x, window, fill=0)
    columns = views.transpose(0, 1, 2, 4, 5, 3).reshape(*views.shape[:3], -1)
    return exact_matmul(columns, w.reshape(len(w), -1).T)
