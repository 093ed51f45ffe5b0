# SPDX-License-Identifier: Apache-2.0
"""Functions of one variable in ONNX's operators of opset 13."""

import math
from collections.abc import Callable, Mapping

from microai.export.onnx_draft import Draft
from microai.ops._functions import GELU_CUBIC, Kind

Function = Callable[[Draft, str, float], str]


def _plain(kind: str) -> Function:
    """An operator of its own."""
    return lambda draft, x, _: draft.emit(kind, [x])


def _hard_sigmoid(draft: Draft, x: str, _: float) -> str:
    return draft.emit("HardSigmoid", [x], alpha=1 / 6, beta=0.5)


def _gated(gate: Function) -> Function:
    """x times a function of it."""
    return lambda draft, x, slope: draft.emit("Mul", [x, gate(draft, x, slope)])


def _leaky_relu(draft: Draft, x: str, slope: float) -> str:
    return draft.emit("LeakyRelu", [x], alpha=slope)


def _gelu_gate(draft: Draft, x: str, _: float) -> str:
    """(1 + erf(x / sqrt(2))) / 2"""
    inner = draft.emit("Mul", [x, draft.real(math.sqrt(0.5))])
    return _half_of_one_more(draft, draft.emit("Erf", [inner]))


def _gelu_tanh_gate(draft: Draft, x: str, _: float) -> str:
    """(1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2"""
    square = draft.emit("Mul", [x, x])
    slope = draft.emit("Mul", [square, draft.real(GELU_CUBIC)])
    bent = draft.emit("Mul", [x, draft.emit("Add", [slope, draft.real(1)])])
    inner = draft.emit("Mul", [bent, draft.real(math.sqrt(2 / math.pi))])
    return _half_of_one_more(draft, draft.emit("Tanh", [inner]))


def _half_of_one_more(draft: Draft, x: str) -> str:
    return draft.emit("Mul", [draft.emit("Add", [x, draft.real(1)]), draft.real(0.5)])


FUNCTIONS: Mapping[Kind, Function] = {
    "elu": _plain("Elu"),
    "gelu": _gated(_gelu_gate),
    "gelu_tanh": _gated(_gelu_tanh_gate),
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _gated(_hard_sigmoid),
    "leaky_relu": _leaky_relu,
    "sigmoid": _plain("Sigmoid"),
    "silu": _gated(_plain("Sigmoid")),
    "tanh": _plain("Tanh"),
}
