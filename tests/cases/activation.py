# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

import math

from microai.ops import Activation
from microai.types import Quant

BENDS = {
    "elu": (1.0, 0.0),
    "gelu": (math.sqrt(2 / math.pi), 0.0),
    "gelu_tanh": (math.sqrt(2 / math.pi), 0.0),
    "hard_sigmoid": (0.0, 1 / 6),
    "hard_swish": (1 / 3, 1 / 2),
    "leaky_relu": (0.0, 0.0),  # it jumps at 0, which is a table's entry where zero is 0
    "sigmoid": (1 / (6 * math.sqrt(3)), 0.0),
    "silu": (0.5, 0.0),
    "tanh": (4 / (3 * math.sqrt(3)), 0.0),
}
"""The largest |f''|, and the largest jump of f'."""


def bend(op: Activation, x: Quant, out: Quant) -> float:
    """How many output steps f may be away from an int16 table's lines, 128 input steps long."""
    if x.dtype != "int16":
        return 0.0
    length = 128 * x.scale[0]
    curvature, jump = BENDS[op.kind]
    return (length**2 / 8 * curvature + length / 4 * jump) / out.scale[0]


CASES = {
    "one": (Activation("sigmoid"), [(1, 1)]),
    "odd": (Activation("tanh"), [(1, 37)]),
    "sigmoid": (Activation("sigmoid"), [(1, 3, 5, 7)]),
    "leaky_relu": (Activation("leaky_relu", 0.01), [(1, 3, 5, 7)]),
    "steep": (Activation("leaky_relu", 2.5), [(1, 13, 5)]),
    "hard_swish": (Activation("hard_swish"), [(1, 13, 5)]),
    "hard_sigmoid": (Activation("hard_sigmoid"), [(1, 3, 5, 7)]),
    "gelu": (Activation("gelu"), [(1, 3, 5, 7)]),
    "gelu_tanh": (Activation("gelu_tanh"), [(1, 101)]),
    "silu": (Activation("silu"), [(1, 13, 5)]),
    "elu": (Activation("elu"), [(1, 3, 5, 7)]),
}
