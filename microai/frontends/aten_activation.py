# SPDX-License-Identifier: Apache-2.0
"""ATen's functions of each element."""

from microai.frontends.aten_call import Arguments
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.frontends.layers import each
from microai.ops import Activation


def elu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """x, or e^x - 1 below 0."""
    if {a["alpha"], a["scale"], a["input_scale"]} != {1}:
        raise RefusedError(f"alpha is {a['alpha']}", "alpha 1")
    return each(b, Activation("elu"), a["self"])


def gelu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Exact, or with tanh for the error function."""
    kinds = {"none": Activation("gelu"), "tanh": Activation("gelu_tanh")}
    return each(b, kinds[a["approximate"]], a["self"])


def hard_sigmoid(b: Builder, a: Arguments, shape: Shape) -> Value:
    """hardsigmoid."""
    return each(b, Activation("hard_sigmoid"), a["self"])


def hard_swish(b: Builder, a: Arguments, shape: Shape) -> Value:
    """hardswish."""
    return each(b, Activation("hard_swish"), a["self"])


def leaky_relu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """leaky_relu."""
    return each(b, Activation("leaky_relu", float(a["negative_slope"])), a["self"])


def sigmoid(b: Builder, a: Arguments, shape: Shape) -> Value:
    """sigmoid."""
    return each(b, Activation("sigmoid"), a["self"])


def silu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """silu, also called swish."""
    return each(b, Activation("silu"), a["self"])


def tanh(b: Builder, a: Arguments, shape: Shape) -> Value:
    """tanh."""
    return each(b, Activation("tanh"), a["self"])
