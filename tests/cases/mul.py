# SPDX-License-Identifier: Apache-2.0
"""Shapes: a, b."""

from microai.ops import Mul

CASES = {
    "one": (Mul(), [(1, 1), (1, 1)]),
    "odd": (Mul(), [(1, 37), (1, 37)]),
    "image": (Mul(), [(1, 3, 5, 2), (1, 3, 5, 2)]),
    "factors": (Mul(), [(1, 4, 3, 9), (1, 1, 1, 9)]),
    "line_factors": (Mul(clamp=(0.0, None)), [(1, 13, 5), (1, 1, 5)]),
    "relu6": (Mul(clamp=(0.0, 0.7)), [(1, 4, 4, 3), (1, 4, 4, 3)]),
}
