# SPDX-License-Identifier: Apache-2.0
"""Tensors one after the other along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import Scaling, clamp_ints, half_of, multiplier_shift, rescale, settle
from microai.op import Accumulator, CParams, Op, quant_of
from microai.types import Ints, Quant, TensorType

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Concat(Op):
    """Two or more tensors, alike but for one axis. Integers are rescaled to the output's storage,
    each input by its own ratio.
    """

    axis: int

    def infer(self, *xs: TensorType) -> TensorType:
        shapes = [x.shape for x in xs]
        ranks, rests = {len(shape) for shape in shapes}, {self._rest(shape) for shape in shapes}
        if len(xs) < 2 or len(ranks) > 1 or len(rests) > 1 or not 1 <= self.axis < min(ranks):
            raise ShapeError(f"Concat: axis is {self.axis} of {shapes}, which must else be equal")
        before, after = rests.pop()
        return TensorType((*before, sum(shape[self.axis] for shape in shapes), *after))

    def run_float(self, *xs: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.cat(xs, dim=self.axis)

    def run_int(self, *given: Any) -> Ints:
        *xs, out = given
        scaling = _scaling([x.quant for x in xs], out)
        parts = [
            settle(rescale(x.centered, np.asarray(multiplier), scaling.shift, out.rounding), out)
            for x, multiplier in zip(xs, scaling.multipliers, strict=True)
        ]
        return np.concatenate(parts, axis=self.axis)

    def accumulator(self, *given: Any) -> Accumulator:
        *xs, out = given
        quants = [quant_of(x) for x in xs]
        bound = np.asarray([quant.reach for quant in quants])
        return Accumulator(bound, _ratios(quants, out.stored), _scaling(quants, out.stored))

    def c_params(self, *types: TensorType) -> CParams:
        *xs, out = types
        rows = math.prod(out.shape[: self.axis])
        runs = tuple(x.size // rows for x in xs)
        starts = tuple(sum(runs[:i]) for i in range(len(runs)))
        sizes: CParams = {
            "rows": rows, "row": sum(runs), "runs": runs, "starts": starts,
            "row_bytes": out.bytes // rows, "run_bytes": tuple(x.bytes // rows for x in xs),
        }  # fmt: skip
        if out.quant is None:
            return sizes
        quants = [x.stored for x in xs]
        scaling = _scaling(quants, out.quant)
        low, high = clamp_ints((None, None), out.quant)
        return {
            **sizes, "ways": tuple(_way(quant, out.quant) for quant in quants),
            "multipliers": scaling.multipliers, "shift": scaling.shift,
            "half": half_of(scaling.shift, out.quant.rounding), "x_zero": 0,
            "x_zeros": tuple(quant.zero for quant in quants), "y_zero": out.quant.zero,
            "low": low, "high": high,
        }  # fmt: skip

    def _rest(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """What all inputs share: the axes before and after."""
        return shape[: self.axis], shape[self.axis + 1 :]


def _ratios(quants: Sequence[Quant], out: Quant) -> list[float]:
    """Each input's step over the output's."""
    return [quant.scale[0] / out.scale[0] for quant in quants]


def _scaling(quants: Sequence[Quant], out: Quant) -> Scaling:
    """A multiplier for each input, one shift."""
    return multiplier_shift(_ratios(quants, out))


def _way(x: Quant, out: Quant) -> str:
    """A rescale from a storage to itself changes nothing."""
    return "copy" if (x.scale, x.zero) == (out.scale, out.zero) else "rescale"
