# SPDX-License-Identifier: Apache-2.0
"""One value around a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import quantize
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Pad(Op):
    """`pads`: before and after each axis but the batch's, as deployed. The storage stays the
    input's, `value` is the nearest it holds.
    """

    pads: tuple[int, ...]
    value: float = 0.0

    @property
    def sides(self) -> list[tuple[int, int]]:
        """Before and after each axis."""
        return list(zip(self.pads[0::2], self.pads[1::2], strict=True))

    def infer(self, x: TensorType) -> TensorType:
        if len(self.pads) != 2 * (len(x.shape) - 1) or not 2 <= len(x.shape) <= 4:
            raise ShapeError(f"Pad: pads are {self.pads}, input is {x.shape}; two for each axis")
        if min(self.pads) < 0 or np.isnan(self.value):
            raise ShapeError(f"Pad: pads {self.pads} of {self.value}, expected pads from 0")
        grown = (n + sum(side) for n, side in zip(x.shape[1:], self.sides, strict=True))
        return TensorType((1, *grown))

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import pad

        last_first = [side for sides in reversed(self.sides) for side in sides]
        return pad(x, last_first, value=self.value)

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({}, out=x)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return np.pad(x.ints, [(0, 0), *self.sides], constant_values=self._fill(out))

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        return {
            **_sizes("in", x.shape[1:], 1), **_sizes("out", out.shape[1:], 1),
            **_sizes("before", self.pads[0::2], 0),
            "fill": self._fill(out.quant) if out.quant else float(self.value),
        }  # fmt: skip

    def _fill(self, out: Quant) -> int:
        return int(quantize(np.asarray(self.value, np.float64), out))


def _sizes(name: str, sizes: tuple[int, ...], fill: int) -> CParams:
    """Three axes; those that are missing come first."""
    height, width, channels = (fill, fill, *sizes)[-3:]
    return {f"{name}_h": height, f"{name}_w": width, f"{name}_c": channels}
