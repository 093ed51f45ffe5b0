# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import MaxPool

CASES = {
    "one": (MaxPool((1, 1), (1, 1)), [(1, 1, 1, 1)]),
    "odd": (MaxPool((2, 2), (2, 2)), [(1, 5, 7, 3)]),
    "overlapping": (MaxPool((3, 3), (1, 2)), [(1, 5, 7, 5)]),
    "padded": (MaxPool((3, 2), (2, 2), (1, 1, 0, 1)), [(1, 6, 5, 4)]),
    "line_one": (MaxPool((1,)), [(1, 1, 1)]),
    "line": (MaxPool((2,), (2,)), [(1, 13, 5)]),
    "line_even": (MaxPool((2,), (2,)), [(1, 12, 8)]),
    "line_padded": (MaxPool((3,), (2,), (1, 1)), [(1, 8, 6)]),
    "line_global": (MaxPool((16,), (16,)), [(1, 16, 12)]),
    "global": (MaxPool((4, 3), (4, 3)), [(1, 4, 3, 9)]),
}
