# SPDX-License-Identifier: Apache-2.0
"""ATen's functions of each element."""

from microai.frontends.aten_call import Arguments
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.ops import Activation


def elu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """x, or e^x - 1 below 0."""
    if {a["alpha"], a["scale"], a["input_scale"]} != {1}:
        raise RefusedError(f"alpha is {a['alpha']}", "alpha 1")
    return _each(b, a, shape, Activation("elu"))


def gelu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Exact, or with tanh for the error function."""
    kinds = {"none": Activation("gelu"), "tanh": Activation("gelu_tanh")}
    return _each(b, a, shape, kinds[a["approximate"]])


def hard_sigmoid(b: Builder, a: Arguments, shape: Shape) -> Value:
    """hardsigmoid."""
    return _each(b, a, shape, Activation("hard_sigmoid"))


def hard_swish(b: Builder, a: Arguments, shape: Shape) -> Value:
    """hardswish."""
    return _each(b, a, shape, Activation("hard_swish"))


def leaky_relu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """leaky_relu."""
    return _each(b, a, shape, Activation("leaky_relu", float(a["negative_slope"])))


def sigmoid(b: Builder, a: Arguments, shape: Shape) -> Value:
    """sigmoid."""
    return _each(b, a, shape, Activation("sigmoid"))


def silu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """silu, also called swish."""
    return _each(b, a, shape, Activation("silu"))


def tanh(b: Builder, a: Arguments, shape: Shape) -> Value:
    """tanh."""
    return _each(b, a, shape, Activation("tanh"))


def _each(b: Builder, a: Arguments, shape: Shape, op: Activation) -> Value:
    x = a["self"]
    return b.op(op, (x.name,), shape, x.order)
