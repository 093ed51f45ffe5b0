# SPDX-License-Identifier: Apache-2.0
"""A function of each element.

In integers: a table, the same in Python and C. int8 has all 256 values; int16 has 513, 128 input
steps apart and 8 bits finer than the output, with straight lines between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import dequantize, half_of, quantize, saturate
from microai.op import CParams, Op
from microai.ops._functions import FUNCTIONS, Kind
from microai.types import Floats, Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

STEP_BITS = 7  # from one entry of an int16 table to the next
FINER_BITS = 8  # of its entries
LIMIT = (1 << 16) - 1  # output steps: twice the range, so that lines meet its ends at their slope;
# LIMIT * 2**15 + 2**14 is the largest sum, inside int32


@dataclass(frozen=True)
class Activation(Op):
    """FUNCTIONS[kind](x); `slope` is leaky_relu's, below 0."""

    kind: Kind
    slope: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        if self.slope and self.kind != "leaky_relu":
            raise ShapeError(f"Activation: {self.kind} has no slope, {self.slope} was given")
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        return FUNCTIONS[self.kind].in_torch(x, self.slope)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        table = self._table(x.quant, out)
        distance = x.ints - x.quant.low
        if x.quant.dtype == "int8":
            return table[distance]
        entry, rest = distance >> STEP_BITS, distance & ((1 << STEP_BITS) - 1)
        line = table[entry] * ((1 << STEP_BITS) - rest) + table[entry + 1] * rest
        shift = STEP_BITS + FINER_BITS
        return saturate((line + half_of(shift, out.rounding)) >> shift, out.low, out.high)

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        if out.quant is None:
            slopes = (self.slope,) if self.kind == "leaky_relu" else ()
            return {"size": x.size, "kind": self.kind, "slopes": slopes}
        return {
            "size": x.size, "table": tuple(self._table(x.stored, out.quant).tolist()),
            "table_type": "int8_t" if x.dtype == "int8" else "int32_t",
            "half": half_of(STEP_BITS + FINER_BITS, out.quant.rounding),
        }  # fmt: skip

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)

    def _table(self, x: Quant, out: Quant) -> Ints:
        """Outputs of every input (int8), or of every 128th and 8 bits finer (int16)."""
        if x.dtype == "int8":
            return quantize(self._values(np.arange(x.low, x.high + 1), x), out)
        finer = replace(
            out, dtype="int32", rounding="nearest", zero=out.zero << FINER_BITS,
            scale=(out.scale[0] / (1 << FINER_BITS),),
        )  # fmt: skip
        entries = np.arange(x.low, x.high + 2, 1 << STEP_BITS)
        limit = LIMIT << FINER_BITS
        return saturate(quantize(self._values(entries, x), finer), -limit, limit)

    def _values(self, ints: Ints, x: Quant) -> Floats:
        value = FUNCTIONS[self.kind].value
        reals = dequantize(QTensor(ints, x))
        return np.asarray([value(real, self.slope) for real in reals.tolist()])

    def __str__(self) -> str:
        return FUNCTIONS[self.kind].title
