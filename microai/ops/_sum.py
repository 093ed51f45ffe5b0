# SPDX-License-Identifier: Apache-2.0
"""What sums and differences of two tensors share: two rescaled terms, one rounding, a clamp."""

import numpy as np

from microai.errors import ShapeError
from microai.fixedpoint import Clamp, clamp_ints, half_of, sum_scaling
from microai.op import Accumulator, CParams, quant_of
from microai.ops._linear import clamp_params
from microai.types import QTensor, TensorType


def alike(a: TensorType, b: TensorType, op: str) -> TensorType:
    """The output of two tensors of one shape, or ShapeError."""
    if a.shape != b.shape:
        raise ShapeError(f"{op}: a is {a.shape}, b is {b.shape}; shapes must be equal")
    return TensorType(a.shape)


def sum_accumulator(
    a: TensorType | QTensor, b: TensorType | QTensor, out: TensorType
) -> Accumulator:
    """The two terms, each with its ratio."""
    terms = (quant_of(a), quant_of(b))
    ratios = [term.scale[0] / out.stored.scale[0] for term in terms]
    scaling = sum_scaling(*terms, out.stored)
    return Accumulator(np.asarray([term.reach for term in terms]), ratios, scaling)


def sum_params(
    a: TensorType, b: TensorType, out: TensorType, clamp: Clamp, sign: int = 1
) -> CParams:
    """The fields of the C struct mai_sum for a + sign * b; for float32 just the clamp."""
    if out.quant is None:
        return {"size": out.size, **clamp_params(clamp)}
    scaling = sum_scaling(a.stored, b.stored, out.stored)
    low, high = clamp_ints(clamp, out.stored)
    return {
        "size": out.size, "a_zero": a.stored.zero, "b_zero": b.stored.zero,
        "a_multiplier": scaling.multipliers[0], "b_multiplier": sign * scaling.multipliers[1],
        "shift": scaling.shift, "half": half_of(scaling.shift, out.stored.rounding),
        "y_zero": out.stored.zero, "low": low, "high": high,
    }  # fmt: skip
