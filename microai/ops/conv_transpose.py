# SPDX-License-Identifier: Apache-2.0
"""Transposed convolution over one or two axes: each input pixel adds a scaled kernel."""

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
    exact_matmul,
    linear_accumulator,
    linear_params,
    linear_requantize,
)
from microai.ops._window import Pads, Sizes, Window, channels_first, channels_last, columns
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ConvTranspose(Op):
    """x (1, ..., I), w (O, kernel ..., I), b (O) -> (1, out ..., O).

    Along each axis out = (in - 1) * stride + kernel - before - after; what `pads` cut off is not
    computed, and an `after` below 0 adds pixels.
    """

    CHANNEL_AXIS: ClassVar = {1: 0, 2: 0}

    stride: Sizes = ()
    pads: Pads = ()
    clamp: Clamp = (None, None)

    def slug(self, x: TensorType, w: TensorType, b: TensorType) -> str:
        return f"conv_transpose{len(x.shape) - 2}d"

    def window(self, w: tuple[int, ...]) -> Window:
        """Its geometry with weights of a shape."""
        return Window.of(w[1:-1], self.stride, self.pads)

    def infer(self, x: TensorType, w: TensorType, b: TensorType) -> TensorType:
        rank = len(x.shape) - 2
        if rank not in (1, 2) or len(w.shape) != rank + 2 or w.shape[-1] != x.shape[-1]:
            raise ShapeError(
                f"ConvTranspose: x is {x.shape}, w is {w.shape}, expected O, kernel, I"
            )
        window = self.window(w.shape)
        if b.shape != w.shape[:1] or len(window.stride) != rank or len(window.pads) != 2 * rank:
            raise ShapeError(f"ConvTranspose: b is {b.shape}, {window}, for {rank} axes and O")
        size = tuple(
            (n - 1) * stride + kernel - sum(sides)
            for n, stride, kernel, sides in zip(
                x.shape[1:-1], window.stride, window.kernel, window.sides, strict=True
            )
        )
        if min(*window.stride, *size) < 1 or min(window.before) < 0:
            raise ShapeError(f"ConvTranspose: {window} makes {size} of {x.shape}")
        return TensorType((1, *size, w.shape[0]))

    def run_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv_transpose1d, conv_transpose2d, pad

        window = self.window(tuple(w.shape))
        run = conv_transpose2d if len(window.kernel) > 1 else conv_transpose1d
        whole = channels_last(run(channels_first(x), w.movedim(-1, 0), None, window.stride))
        sides = [-side for pair in reversed(window.sides) for side in pair]
        return clamp_float(pad(whole, [0, 0, *sides]) + b, self.clamp)

    def storage(self, x: Quant, w: Quant, b: Quant, out: Quant) -> Storage:
        return bias_storage(x, w)

    def run_int(self, x: QTensor, w: QTensor, b: QTensor, out: Quant) -> Ints:
        window = self.window(w.ints.shape)
        taps = np.flip(w.ints, axis=tuple(range(1, w.ints.ndim - 1)))
        rows = columns(_spread(x.centered, window), Window.of(window.kernel, (), ()))
        acc = exact_matmul(rows, taps.reshape(len(taps), -1).T) + b.ints
        return linear_requantize(acc, x, w, out, self.clamp)

    def accumulator(self, x: TensorType, w: QTensor, b: QTensor, out: TensorType) -> Accumulator:
        return linear_accumulator(x, w, b, w.ints.reshape(len(w.ints), -1), out)

    def c_params(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> CParams:
        window = self.window(w.shape).c_params(x, out)
        return {**window, **linear_params(x, w, out, self.clamp)}

    def macs(self, x: TensorType, w: TensorType, b: TensorType, out: TensorType) -> int:
        return math.prod(x.shape[:-1]) * w.size


def _spread(x: Ints, window: Window) -> Ints:
    """The image on which a plain convolution does the same: zeros between the pixels and around."""
    gaps = [(n - 1) * s + 1 for n, s in zip(x.shape[1:-1], window.stride, strict=True)]
    spread = np.zeros((x.shape[0], *gaps, x.shape[-1]), np.int64)
    spread[(slice(None), *(slice(None, None, s) for s in window.stride))] = x
    for axis, (kernel, (before, after)) in enumerate(
        zip(window.kernel, window.sides, strict=True), start=1
    ):
        spread = _grown(spread, axis, kernel - 1 - before, kernel - 1 - after)
    return spread


def _grown(x: Ints, axis: int, before: int, after: int) -> Ints:
    """Zeros before and after one axis; where negative, that many cut off."""
    sides = [(0, 0)] * x.ndim
    sides[axis] = (max(before, 0), max(after, 0))
    start, stop = max(-before, 0), x.shape[axis] + sum(sides[axis]) - max(-after, 0)
    return np.pad(x, sides).take(range(start, stop), axis)
