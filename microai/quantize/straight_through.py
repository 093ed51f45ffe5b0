# SPDX-License-Identifier: Apache-2.0
"""Steps of a network whose values are exact integers and whose gradients are of real numbers.

Integers are q - zero, in float32 or float64 that hold them exactly; a surrogate is the same value
before its rounding, and lends it its gradient (straight through; Bengio et al., 2013).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from microai.fixedpoint import quantize as to_ints
from microai.op import Op
from microai.ops import LINEAR, MaxPool, Reshape, Resize, Slice, Transpose
from microai.ops._linear import linear_requantize
from microai.quantize import ptq
from microai.types import Array, Ints, QTensor, Quant

EXACT = 1 << 24  # the integers that float32 holds without gaps
MOVES = (MaxPool, Reshape, Resize, Slice, Transpose)  # the same on q - zero as on real numbers
Values = dict[str, torch.Tensor]
"""Tensors by name."""
Scales = Sequence[torch.Tensor | None]
"""Of the inputs and the output, in order; None of real numbers."""
Quants = Sequence[Quant | None]
"""Likewise."""


def real(x: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    """What a value stands for, in float32."""
    return x.float() if scale is None else x.float() * scale


def ints(x: torch.Tensor) -> Ints:
    """Exact integers for the integer rules."""
    whole: Ints = x.detach().numpy().astype(np.int64)
    return whole


def exactly(surrogate: torch.Tensor, exact: Array) -> torch.Tensor:
    """The value of `exact` in float32 with the gradient of the surrogate."""
    return _straight_through(surrogate, torch.from_numpy(exact.astype(np.float32)))


def _straight_through(surrogate: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """exact + 0, whose gradient is the surrogate's."""
    return exact + (surrogate - surrogate.detach())


def stored_input(x: torch.Tensor, quant: Quant | None, scale: torch.Tensor | None) -> torch.Tensor:
    """A real input as it is stored."""
    if quant is None or scale is None:
        return x
    exact = to_ints(x.detach().numpy(), quant) - quant.zero
    return exactly(_limited(x / scale, quant), exact)


def stored_weight(
    w: torch.Tensor, array: Array, quant: Quant | None, scale: torch.Tensor | None
) -> torch.Tensor:
    """A real weight as it is stored, in float64; `array` is what is to be stored of it."""
    if quant is None or scale is None:
        return w
    held = torch.from_numpy(ptq.stored(array, quant) - float(quant.zero))
    axes = [-1 if axis == quant.axis % w.ndim else 1 for axis in range(w.ndim)]
    steps = scale.view(axes if len(quant.scale) > 1 else -1)
    return _straight_through(_limited(w / steps, quant).double(), held)


def _limited(surrogate: torch.Tensor, quant: Quant) -> torch.Tensor:
    return surrogate.clamp(quant.low - quant.zero, quant.high - quant.zero)


def float_step(op: Op, xs: Sequence[torch.Tensor]) -> torch.Tensor:
    """A layer in real numbers."""
    result: torch.Tensor = op.run_float(*[x.float() for x in xs])
    return result


def moved(op: Op, xs: Sequence[torch.Tensor]) -> torch.Tensor:
    """A step of MOVES, on integers."""
    result: torch.Tensor = op.run_float(*xs)
    return result


def linear(
    op: LINEAR, xs: Sequence[torch.Tensor], quants: Quants, scales: Scales
) -> tuple[torch.Tensor, Array]:
    """The output in its steps, and exactly. The sum is one of integers, in float32 where that holds
    it, else in float64, and carries the gradient as well.
    """
    x, w, b = xs
    x_quant, w_quant, _, out = quants
    x_scale, w_scale, _, y_scale = (scale for scale in scales if scale is not None)
    assert x_quant
    assert w_quant
    assert out
    filters = w.detach().movedim(op.CHANNEL_AXIS[1], 0).flatten(1).abs().sum(dim=1)
    bound = float(filters.max()) * x_quant.reach + float(b.detach().abs().max())
    wide = torch.float32 if bound < EXACT else torch.float64
    acc = replace(op, clamp=(None, None)).run_float(x.to(wide), w.to(wide), b.to(wide))
    nothing: Ints = np.zeros(0, np.int64)
    operands = (QTensor(nothing, x_quant), QTensor(nothing, w_quant))
    exact = linear_requantize(ints(acc), *operands, out, op.clamp)
    return acc.float() * (x_scale * w_scale / y_scale), exact


def any_step(
    own: Op, limited: Op, xs: Sequence[torch.Tensor], quants: Quants, scales: Scales
) -> tuple[torch.Tensor, Any]:
    """The output in its steps by the float rule of `own`, and exactly by the integer rule of
    `limited`.
    """
    *stored, out = quants
    surrogate = own.run_float(*[real(x, scale) for x, scale in zip(xs, scales[:-1], strict=True)])
    operands = [
        x.detach().numpy() if quant is None else QTensor(ints(x) + quant.zero, quant)
        for x, quant in zip(xs, stored, strict=True)
    ]
    exact = limited.run_int(*operands, out)
    return (surrogate if scales[-1] is None else surrogate / scales[-1]), exact
