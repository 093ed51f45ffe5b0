# SPDX-License-Identifier: Apache-2.0
"""Maximum over a window; padding never wins. A window as large as the image pools globally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.ops._window import Pads, Sizes, Window, channels_last, padded_first, patches
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MaxPool(Op):
    """x (1, ..., C) -> (1, out ..., C). In integers the storage stays the input's."""

    kernel: Sizes
    stride: Sizes = ()
    pads: Pads = ()

    def slug(self, x: TensorType) -> str:
        return f"max_pool{len(x.shape) - 2}d"

    @property
    def window(self) -> Window:
        """Its geometry."""
        return Window.of(self.kernel, self.stride, self.pads)

    def infer(self, x: TensorType) -> TensorType:
        return pooled(x, self.window, "MaxPool")

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import max_pool1d, max_pool2d

        padded = padded_first(x, self.window, value=float("-inf"))
        run = max_pool2d if len(self.kernel) > 1 else max_pool1d
        return channels_last(run(padded, self.kernel, self.window.stride))

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        axes = tuple(range(-len(self.kernel), 0))
        largest: Ints = patches(x.ints, self.window, fill=x.quant.low).max(axis=axes)
        return largest

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        return self.window.c_params(x, out)

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return self.window.overwrites(x, out)


def pooled(x: TensorType, window: Window, op: str) -> TensorType:
    """A pool's output; every window must touch the image."""
    size = window.output(x, op)
    deepest = map(max, window.before, window.after)
    if any(pad >= kernel for pad, kernel in zip(deepest, window.kernel, strict=True)):
        raise ShapeError(f"{op}: pads {window.pads} leave windows of {window.kernel} empty")
    return TensorType((1, *size, x.shape[-1]))
