# SPDX-License-Identifier: Apache-2.0
"""What convolutions and dense layers share: a weighted sum, a bias, one rescale, a clamp."""

from typing import TYPE_CHECKING

import numpy as np

from microai.fixedpoint import Clamp, Scaling, clamp_ints, half_of, multiplier_shift, requantize
from microai.op import Accumulator, CParams, Storage
from microai.types import Floats, Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch


def exact_matmul(a: Ints, b: Ints) -> Ints:
    """Integer product through float64 BLAS: exact while sums stay below 2**53."""
    product = np.matmul(a.astype(np.float64), b.astype(np.float64))
    assert not product.size or np.abs(product).max() < 1 << 53, "sum beyond float64's integers"
    ints: Ints = product.astype(np.int64)
    return ints


def bias_storage(x: Quant, w: Quant) -> Storage:
    """The bias joins the accumulator, so it is int32 at x.scale * w.scale."""
    scale = tuple(x.scale[0] * s for s in w.scale)
    return Storage({2: Quant("int32", scale, axis=0, rounding=w.rounding)})


def ratios(x: Quant, w: Quant, out: Quant, channels: int) -> Floats:
    """Accumulator step over output step, for each output channel."""
    return x.scale[0] * np.broadcast_to(np.asarray(w.scale), channels) / out.scale[0]


def linear_scaling(x: Quant, w: Quant, out: Quant, channels: int) -> Scaling:
    """The layer's multipliers and shift."""
    return multiplier_shift(list(ratios(x, w, out, channels)))


def linear_requantize(acc: Ints, x: QTensor, w: QTensor, out: Quant, clamp: Clamp) -> Ints:
    """Accumulators (channels last) as outputs."""
    scaling = linear_scaling(x.quant, w.quant, out, acc.shape[-1])
    return requantize(acc, scaling, out, clamp)


def linear_accumulator(
    x: TensorType, w: QTensor, b: QTensor, taps: Ints, out: TensorType
) -> Accumulator:
    """`taps` is w with one row for each output channel."""
    bound = np.abs(taps).sum(axis=1) * x.stored.reach + np.abs(b.ints)
    exact = ratios(x.stored, w.quant, out.stored, len(taps)).tolist()
    return Accumulator(bound, exact, multiplier_shift(exact))


def linear_params(x: TensorType, w: TensorType, out: TensorType, clamp: Clamp) -> CParams:
    """Rescale and clamp as numbers for C; for float32 just the clamp."""
    if out.quant is None:
        return clamp_params(clamp)
    scaling = linear_scaling(x.stored, w.stored, out.stored, out.shape[-1])
    low, high = clamp_ints(clamp, out.stored)
    return {
        "multipliers": scaling.multipliers, "shift": scaling.shift,
        "half": half_of(scaling.shift, out.stored.rounding),
        "x_zero": x.stored.zero, "y_zero": out.stored.zero, "low": low, "high": high,
    }  # fmt: skip


def clamp_params(clamp: Clamp) -> CParams:
    """A float clamp for C."""
    low, high = clamp
    return {"low": -np.inf if low is None else low, "high": np.inf if high is None else high}


def clamp_float(x: "torch.Tensor", clamp: Clamp) -> "torch.Tensor":
    """The clamp in torch."""
    return x if clamp == (None, None) else x.clamp(*clamp)
