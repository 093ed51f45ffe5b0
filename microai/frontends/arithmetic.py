# SPDX-License-Identifier: Apache-2.0
"""Sums and products of two operands, one of which may be constant; shared by all frontends.

A constant for each channel is a 1x1 depthwise convolution, as a batch norm is: the layer in front
takes it over where there is one.
"""

from typing import Literal

import numpy as np

from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.layers import affine, each, windowed
from microai.frontends.layout import arranged, shaped
from microai.ops import Activation, Add, Mul, Sub
from microai.ops._functions import Kind as Function
from microai.types import Array

Kind = Literal["add", "sub", "mul", "div"]
GATED: dict[str, Function] = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}
OPS: dict[Kind, Add | Sub | Mul] = {"add": Add(), "sub": Sub(), "mul": Mul()}


def combine(b: Builder, kind: Kind, x: Value | Weight, y: Value | Weight) -> Value:
    """x + y, x - y, x * y or x / y."""
    if isinstance(x, Weight) and isinstance(y, Weight):
        raise RefusedError("both of its operands are constant", "one constant in their place")
    if isinstance(x, Weight):
        assert isinstance(y, Value)
        return _with_constant(b, kind, y, x, first=True)
    if isinstance(y, Weight):
        return _with_constant(b, kind, x, y, first=False)
    if kind == "div":
        raise RefusedError("it divides by a computed tensor", "a product")
    return _product(b, x, y) if kind == "mul" else _total(b, OPS[kind], x, y)


def _total(b: Builder, op: Add | Sub | Mul, x: Value, y: Value) -> Value:
    """Two tensors of one shape."""
    if x.shape != y.shape:
        raise RefusedError(f"it combines {x.shape} with {y.shape}", "two tensors of one shape")
    if not np.array_equal(x.order, y.order):
        x, y = arranged(b, x), arranged(b, y)
    if b.nodes[x.name].type.shape != b.nodes[y.name].type.shape:
        x, y = shaped(b, x), shaped(b, y)
    return b.op(op, (x.name, y.name), x.shape, x.moved)


def _product(b: Builder, x: Value, y: Value) -> Value:
    """Two tensors of one shape, or one factor for each channel, on either side; a tensor and its
    sigmoid are one function.
    """
    for one, other in ((x, y), (y, x)):
        gate = b.nodes[other.name]
        if isinstance(gate.op, Activation) and gate.op.kind in GATED and gate.inputs == (one.name,):
            return each(b, Activation(GATED[gate.op.kind]), one)
    if x.shape == y.shape:
        return _total(b, Mul(), x, y)
    x, y = (x, y) if np.prod(x.shape) >= np.prod(y.shape) else (y, x)
    ones = (1,) * (len(x.shape) - 2)
    if len(x.shape) not in (3, 4) or y.shape != windowed(x, ones, _channels(x)):
        raise RefusedError(
            f"it multiplies {x.shape} by {y.shape}", "one shape, or one factor for each channel"
        )
    return b.op(Mul(), (arranged(b, x).name, arranged(b, y).name), x.shape)


def _channels(x: Value) -> int:
    return x.shape[_channel_axis(x)]


def _channel_axis(x: Value) -> int:
    return 1 if x.layout == "first" or len(x.shape) == 2 else len(x.shape) - 1


def _with_constant(b: Builder, kind: Kind, x: Value, c: Weight, *, first: bool) -> Value:
    """`first`: the constant is the left operand."""
    reals = c.reals
    if kind == "div" and (first or not np.all(reals)):
        raise RefusedError("it divides by a tensor or by 0", "a product")
    if not _fits(reals.shape, x.shape):
        raise RefusedError(f"a constant {reals.shape} enlarges {x.shape}", "a smaller constant")
    aligned = reals.reshape((1,) * (len(x.shape) - reals.ndim) + reals.shape)
    axis = _channel_axis(x)
    if all(size == 1 for i, size in enumerate(aligned.shape) if i != axis):
        scale, shift = _coefficients(kind, aligned.ravel(), first=first)
        return affine(b, x, Weight(f"{c.name}.scale", scale), Weight(f"{c.name}.shift", shift))
    if kind == "div":
        kind, aligned = "mul", 1 / aligned
    return _with_tensor(b, kind, x, Weight(c.name, np.broadcast_to(aligned, x.shape)), first=first)


def _fits(constant: Shape, shape: Shape) -> bool:
    """Whether a constant broadcasts to a shape without enlarging it."""
    sizes = zip(reversed(constant), reversed(shape), strict=False)
    return len(constant) <= len(shape) and all(c in (1, n) for c, n in sizes)


def _coefficients(kind: Kind, c: Array, *, first: bool) -> tuple[Array, Array]:
    """Scale and shift of x: a constant on either side of an operation."""
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    table = {"add": (one, c), "mul": (c, zero), "sub": (-one, c) if first else (one, -c)}
    return table[kind] if kind != "div" else (1 / c, zero)


def _with_tensor(b: Builder, kind: Kind, x: Value, c: Weight, *, first: bool) -> Value:
    """A constant for each element, laid out as x is."""
    x = shaped(b, x) if x.moved is None else x
    shape = b.nodes[x.name].type.shape
    name = b.const(Weight(c.name, c.array.ravel()[x.order].reshape(shape)))
    operands = (name, x.name) if first else (x.name, name)
    return b.op(OPS[kind], operands, x.shape, x.moved)
