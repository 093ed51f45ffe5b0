# SPDX-License-Identifier: Apache-2.0
"""An image or signal of another size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.op import CParams, Op, Storage
from microai.ops._window import Sizes
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Resize(Op):
    """Output pixel i is input pixel floor(i * in / out), along each axis between batch and
    channels. The storage stays the input's.
    """

    size: Sizes

    def infer(self, x: TensorType) -> TensorType:
        rank = len(self.size)
        if rank not in (1, 2) or len(x.shape) != rank + 2 or min(self.size) < 1:
            raise ShapeError(f"Resize: size is {self.size}, input is {x.shape}; 1 or 2 axes")
        return TensorType((1, *self.size, x.shape[-1]))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        for axis, index in self._indices(tuple(x.shape)):
            x = x.index_select(axis, torch.from_numpy(index))
        return x

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        ints = x.ints
        for axis, index in self._indices(ints.shape):
            ints = ints.take(index, axis)
        return ints

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        in_h, in_w = (1, *x.shape[1:-1])[-2:]
        out_h, out_w = (1, *self.size)[-2:]
        pixel_bytes = x.bytes // (in_h * in_w)
        return {
            "in_h": in_h, "in_w": in_w, "out_h": out_h, "out_w": out_w, "pixel_bytes": pixel_bytes,
        }  # fmt: skip

    def _indices(self, shape: Sizes) -> list[tuple[int, Ints]]:
        """For each axis: which input pixel each output pixel is."""
        sizes = zip(shape[1:-1], self.size, strict=True)
        return [(axis, nearest(before, after)) for axis, (before, after) in enumerate(sizes, 1)]


def nearest(before: int, after: int) -> Ints:
    """floor(i * before / after) for i < after."""
    index: Ints = np.arange(after) * before // after
    return index
