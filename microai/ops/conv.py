# SPDX-License-Identifier: Apache-2.0
"""Convolution over one or two axes, with groups."""

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
from microai.ops._window import (
    Pads,
    Sizes,
    Window,
    channels_first,
    channels_last,
    columns,
    padded_first,
)
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Conv(Op):
    """x (1, ..., I), w (O, kernel ..., I / groups), b (O) -> (1, out ..., O)."""

    CHANNEL_AXIS: ClassVar = {1: 0, 2: 0}

    stride: Sizes = ()
    pads: Pads = ()
    dilation: Sizes = ()
    groups: int = 1
    clamp: Clamp = (None, None)

    def slug(self, x: TensorType, w: TensorType, b: TensorType) -> str:
        return f"conv{len(x.shape) - 2}d"

    def window(self, w: tuple[int, ...]) -> Window:
        """Its geometry with weights of a shape."""
        return Window.of(w[1:-1], self.stride, self.pads, self.dilation)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        if len(w.shape) not in (3, 4) or b.shape != w.shape[:1]:
            raise ShapeError(f"Conv: w is {w.shape}, b is {b.shape}, expected O, kernel, I and O")
        size = self.window(w.shape).output(x, "Conv")
        if self.groups < 1 or x.shape[-1] != w.shape[-1] * self.groups or w.shape[0] % self.groups:
            raise ShapeError(f"Conv: x is {x.shape}, w is {w.shape}, groups is {self.groups}")
        return TensorType((1, *size, w.shape[0]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv1d, conv2d

        window = self.window(tuple(w.shape))
        image, taps = padded_first(x, window), channels_first(w)
        run = conv2d if len(window.kernel) > 1 else conv1d
        y = run(image, taps, b, window.stride, 0, window.dilation, self.groups)
        return clamp_float(channels_last(y), self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        groups = zip(
            np.split(x.centered, self.groups, axis=-1),
            np.split(w.ints, self.groups, axis=0),
            strict=True,
        )
        window = self.window(w.ints.shape)
        sums = [
            exact_matmul(columns(part, window), taps.reshape(len(taps), -1).T)
            for part, taps in groups
        ]
        return linear_requantize(np.concatenate(sums, axis=-1) + b.ints, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints.reshape(len(w.ints), -1), out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        window = self.window(w.shape).c_params(x, out)
        return {**window, "groups": self.groups, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return out.size * w.size // w.shape[0]
