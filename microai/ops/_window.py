# SPDX-License-Identifier: Apache-2.0
"""Geometry of a window sliding over NHWC: shared by convolutions and pools."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.op import CParams
from microai.types import Ints, TensorType

if TYPE_CHECKING:
    import torch

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]
"""Top, bottom, left, right."""


@dataclass(frozen=True)
class Window:
    """A kernel's extent, its stride and the padding around the image."""

    kernel: Pair
    stride: Pair
    pads: Pads

    def output(self, x: TensorType, op: str) -> Pair:
        """Output height and width, or ShapeError."""
        if len(x.shape) != 4:
            raise ShapeError(f"{op}: input is {x.shape}, expected 4 dimensions (NHWC)")
        if min(*self.kernel, *self.stride) < 1 or min(self.pads) < 0:
            raise ShapeError(f"{op}: {self}, expected positive kernel and stride, pads from 0")
        top, bottom, left, right = self.pads
        height = x.shape[1] + top + bottom - self.kernel[0]
        width = x.shape[2] + left + right - self.kernel[1]
        if height < 0 or width < 0:
            raise ShapeError(f"{op}: window {self.kernel} is larger than input {x.shape} padded")
        return height // self.stride[0] + 1, width // self.stride[1] + 1

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        """The fields of the C struct mai_window."""
        _, in_h, in_w, in_c = x.shape
        _, out_h, out_w, out_c = out.shape
        return {
            "in_h": in_h, "in_w": in_w, "in_c": in_c,
            "out_h": out_h, "out_w": out_w, "out_c": out_c,
            "k_h": self.kernel[0], "k_w": self.kernel[1],
            "stride_h": self.stride[0], "stride_w": self.stride[1],
            "pad_top": self.pads[0], "pad_left": self.pads[2],
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        """A pool may write over its input when output pixels never run ahead of input pixels."""
        return (0,) if not any(self.pads) and out.shape[2] <= x.shape[2] else ()


def patches(x: Ints, window: Window, fill: int) -> Ints:
    """Windows over x (N, H, W, C), padded with `fill`: (N, out_h, out_w, C, k_h, k_w)."""
    top, bottom, left, right = window.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, window.kernel, axis=(1, 2))
    return views[:, :: window.stride[0], :: window.stride[1]]


def pad_nchw(x: "torch.Tensor", window: Window, value: float = 0.0) -> "torch.Tensor":
    """NHWC to NCHW, padded with `value`: what torch's window functions want."""
    from torch.nn.functional import pad

    top, bottom, left, right = window.pads
    return pad(x.permute(0, 3, 1, 2), (left, right, top, bottom), value=value)


def to_nhwc(x: "torch.Tensor") -> "torch.Tensor":
    """NCHW back to NHWC."""
    return x.permute(0, 2, 3, 1)
