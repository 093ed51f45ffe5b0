# SPDX-License-Identifier: Apache-2.0
"""Any function of int8, as the table of its values: what several functions in a row become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import dequantize, quantize
from microai.op import CParams, Op, Storage
from microai.types import Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

ENTRIES = 256


@dataclass(frozen=True)
class Lookup(Op):
    """table[q + 128] of int8 q, stored as `x` and `out` say: it means nothing in other storage."""

    table: tuple[int, ...]
    x: Quant
    out: Quant

    def infer(self, x: TensorType) -> TensorType:
        types = (self.x.dtype, self.out.dtype)
        if len(self.table) != ENTRIES or types != ("int8", "int8"):
            raise ShapeError(
                f"Lookup: {len(self.table)} entries from {' to '.join(types)}, expected "
                f"{ENTRIES} from int8 to int8"
            )
        return TensorType(x.shape)

    def run_float(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        stored = QTensor(quantize(x.detach().numpy(), self.x), self.x)
        reals = dequantize(QTensor(self.run_int(stored, self.out), self.out))
        return torch.from_numpy(reals).to(x.dtype)

    def storage(self, x: Quant, out: Quant) -> Storage:
        return Storage({0: self.x}, out=self.out)

    def run_int(self, x: QTensor, out: Quant) -> Ints:
        return np.asarray(self.table, np.int64)[x.ints - self.x.low]

    def c_params(self, x: TensorType, out: TensorType) -> CParams:
        return {"size": x.size, "table": self.table, "table_type": "int8_t", "half": 0}

    def overwrites(self, x: TensorType, out: TensorType) -> tuple[int, ...]:
        return (0,)
