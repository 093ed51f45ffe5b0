# SPDX-License-Identifier: Apache-2.0
"""Maximum over a window; padding never wins. A window as large as the image pools globally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.ops._window import Pads, Pair, Window, pad_nchw, patches, to_nhwc
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MaxPool2d(Op):
    """x (1, H, W, C) -> (1, out_h, out_w, C). In integers the storage stays the input's."""

    kernel: Pair
    stride: Pair
    pads: Pads = (0, 0, 0, 0)

    @property
    def window(self) -> Window:
        """Its geometry."""
        return Window(self.kernel, self.stride, self.pads)

    def infer(self, x: TensorType) -> TensorType:
        height, width = self.window.output(x, "MaxPool2d")
        if max(self.pads[:2]) >= self.kernel[0] or max(self.pads[2:]) >= self.kernel[1]:
            raise ShapeError(f"MaxPool2d: pads {self.pads} leave windows of {self.kernel} empty")
        return TensorType((1, height, width, x.shape[3]))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import max_pool2d

        padded = pad_nchw(x, self.window, value=float("-inf"))
        return to_nhwc(max_pool2d(padded, self.kernel, self.stride))

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        largest: Ints = patches(x.ints, self.window, fill=x.quant.low).max(axis=(4, 5))
        return largest

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        return self.window.c_params(x, out)

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return self.window.overwrites(x, out)
