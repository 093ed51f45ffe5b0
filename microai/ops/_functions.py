# SPDX-License-Identifier: Apache-2.0
"""Functions of one variable, each for exact tables (math) and for training (torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Kind = Literal[
    "elu", "gelu", "gelu_tanh", "hard_sigmoid", "hard_swish", "leaky_relu", "sigmoid", "silu",
    "tanh",
]  # fmt: skip
GELU_CUBIC = 0.044715  # Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415


@dataclass(frozen=True)
class Function:
    """Its name for people, its values in float64, and torch's function; both get the slope."""

    title: str
    value: Callable[[float, float], float]
    in_torch: Callable[[torch.Tensor, float], torch.Tensor]


def _sigmoid(x: float, _: float = 0) -> float:
    """No exponential that overflows."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _gelu_tanh(x: float, _: float) -> float:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))"""
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + GELU_CUBIC * x**3)))


def _hard_sigmoid(x: float, _: float = 0) -> float:
    """min(max(x / 6 + 1 / 2, 0), 1)"""
    return min(max(x + 3, 0), 6) / 6


def _torch(name: str) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """A function of torch.nn.functional."""

    def run(x: torch.Tensor, _: float) -> torch.Tensor:
        from torch.nn import functional

        result: torch.Tensor = getattr(functional, name)(x)
        return result

    return run


def _torch_gelu_tanh(x: torch.Tensor, _: float) -> torch.Tensor:
    from torch.nn.functional import gelu

    return gelu(x, approximate="tanh")


def _torch_leaky_relu(x: torch.Tensor, slope: float) -> torch.Tensor:
    from torch.nn.functional import leaky_relu

    return leaky_relu(x, slope)


FUNCTIONS: Mapping[Kind, Function] = {
    "elu": Function("Elu", lambda x, _: x if x >= 0 else math.expm1(x), _torch("elu")),
    "gelu": Function("Gelu", lambda x, _: x / 2 * (1 + math.erf(x / math.sqrt(2))), _torch("gelu")),
    "gelu_tanh": Function("GeluTanh", _gelu_tanh, _torch_gelu_tanh),
    "hard_sigmoid": Function("HardSigmoid", _hard_sigmoid, _torch("hardsigmoid")),
    "hard_swish": Function("HardSwish", lambda x, _: x * _hard_sigmoid(x), _torch("hardswish")),
    "leaky_relu": Function(
        "LeakyRelu", lambda x, slope: x if x >= 0 else slope * x, _torch_leaky_relu
    ),
    "sigmoid": Function("Sigmoid", _sigmoid, _torch("sigmoid")),
    "silu": Function("Silu", lambda x, _: x * _sigmoid(x), _torch("silu")),
    "tanh": Function("Tanh", lambda x, _: math.tanh(x), _torch("tanh")),
}
