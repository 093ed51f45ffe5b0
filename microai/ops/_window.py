# SPDX-License-Identifier: Apache-2.0
"""Geometry of a window sliding over one or two axes, channels last: for convolutions and pools."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.op import CParams
from microai.types import Ints, TensorType

if TYPE_CHECKING:
    import torch

Sizes = tuple[int, ...]
"""One number for each axis the window slides along; () is 1 for each."""
Pads = tuple[int, ...]
"""Before and after the image along each axis; () is none."""


@dataclass(frozen=True)
class Window:
    """A kernel's extent, its stride, the padding around the image, the distance of its taps."""

    kernel: Sizes
    stride: Sizes
    pads: Pads
    dilation: Sizes

    @classmethod
    def of(cls, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes = ()) -> Window:
        """With every size written out."""
        ones = (1,) * len(kernel)
        return cls(kernel, stride or ones, pads or (0,) * 2 * len(kernel), dilation or ones)

    @property
    def flat(self) -> Window:
        """With two axes: one axis is an image one pixel high."""
        if len(self.kernel) > 1:
            return self
        return Window((1, *self.kernel), (1, *self.stride), (0, 0, *self.pads), (1, *self.dilation))

    @property
    def before(self) -> Sizes:
        """Padding at the beginning of each axis."""
        return self.pads[0::2]

    @property
    def after(self) -> Sizes:
        """Padding at the end of each axis."""
        return self.pads[1::2]

    @property
    def sides(self) -> list[tuple[int, int]]:
        """Padding before and after each axis."""
        return list(zip(self.before, self.after, strict=True))

    @property
    def reach(self) -> Sizes:
        """From the first to the last tap, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def output(self, x: TensorType, op: str) -> Sizes:
        """Output size along each axis, or ShapeError."""
        rank = len(self.kernel)
        if len(x.shape) != rank + 2:
            raise ShapeError(f"{op}: input is {x.shape}, its window {self.kernel} has {rank} axes")
        given = (self.stride, self.dilation, self.before, self.after)
        if rank not in (1, 2) or {len(sizes) for sizes in given} != {rank}:
            raise ShapeError(f"{op}: {self}, expected as many of each for 1 or 2 axes")
        if min(*self.kernel, *self.stride, *self.dilation) < 1 or min(self.pads) < 0:
            raise ShapeError(f"{op}: {self}, expected positive kernel and stride, pads from 0")
        room = [
            size + before + after - reach
            for size, before, after, reach in zip(
                x.shape[1:-1], self.before, self.after, self.reach, strict=True
            )
        ]
        if min(room) < 0:
            raise ShapeError(f"{op}: window {self.reach} is larger than input {x.shape} padded")
        return tuple(r // s + 1 for r, s in zip(room, self.stride, strict=True))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        """The fields of the C struct mai_window; one axis is an image one pixel high."""
        return {
            **_extent("in", x.shape), **_extent("out", out.shape),
            **_sizes("k", self.kernel, 1), **_sizes("stride", self.stride, 1),
            **_sizes("dilation", self.dilation, 1), **_sizes("pad", self.before, 0),
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        """A pool may write over its input when output pixels never run ahead of input pixels."""
        return (0,) if not any(self.pads) and out.shape[-2] <= x.shape[-2] else ()


def _extent(name: str, shape: Sizes) -> CParams:
    return {**_sizes(name, shape[1:-1], 1), f"{name}_c": shape[-1]}


def _sizes(name: str, sizes: Sizes, fill: int) -> CParams:
    height, width = (fill, *sizes)[-2:]
    return {f"{name}_h": height, f"{name}_w": width}


def patches(x: Ints, window: Window, fill: int) -> Ints:
    """Windows over x (N, ..., C), padded with `fill`: (N, out ..., C, kernel ...)."""
    sides = [(0, 0), *window.sides, (0, 0)]
    padded = np.pad(x, sides, constant_values=fill)
    axes = tuple(range(1, len(window.kernel) + 1))
    views = np.lib.stride_tricks.sliding_window_view(padded, window.reach, axis=axes)
    steps = tuple(slice(None, None, s) for s in window.stride)
    taps = tuple(slice(None, None, d) for d in window.dilation)
    return views[(slice(None), *steps, slice(None), *taps)]


def columns(x: Ints, window: Window) -> Ints:
    """Windows over a centered x as rows of taps, channels innermost: (N, out ..., taps * C)."""
    views = np.moveaxis(patches(x, window, fill=0), len(window.kernel) + 1, -1)
    rows = views.shape[: len(window.kernel) + 1]
    return views.reshape(*rows, math.prod(views.shape[len(rows) :]))


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """As torch's window functions want it: where an axis has one element, a view has strides that
    its convolutions misread; elsewhere images are several times as fast when channels stay last
    in memory.
    """
    import torch

    first = x.movedim(-1, 1)
    image = first.ndim == 4 and min(first.shape) > 1
    return first.clone(memory_format=torch.channels_last if image else torch.contiguous_format)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """As everything here is."""
    return x.movedim(1, -1)


def padded_first(x: torch.Tensor, window: Window, value: float = 0.0) -> torch.Tensor:
    """Channels first, padded with `value`."""
    from torch.nn.functional import pad

    last_first = [side for pair in reversed(window.sides) for side in pair]
    return pad(channels_first(x), last_first, value=value)
