# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import Resize

CASES = {
    "one": (Resize((1, 1)), [(1, 1, 1, 1)]),
    "twice": (Resize((6, 10)), [(1, 3, 5, 7)]),
    "uneven": (Resize((7, 4)), [(1, 3, 5, 2)]),
    "smaller": (Resize((2, 3)), [(1, 5, 7, 3)]),
    "line_one": (Resize((5,)), [(1, 1, 3)]),
    "line": (Resize((26,)), [(1, 13, 5)]),
    "line_smaller": (Resize((5,)), [(1, 13, 4)]),
}
