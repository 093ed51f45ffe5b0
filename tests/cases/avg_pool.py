# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import AvgPool

CASES = {
    "one": (AvgPool((1, 1), (1, 1)), [(1, 1, 1, 1)]),
    "odd": (AvgPool((2, 2), (2, 2)), [(1, 5, 7, 3)]),
    "overlapping": (AvgPool((3, 3), (1, 2)), [(1, 5, 7, 5)]),
    "padded": (AvgPool((3, 2), (2, 2), (1, 1, 0, 1)), [(1, 6, 5, 4)]),
    "inside": (AvgPool((3, 3), (2, 2), (1, 1, 1, 1), count_pads=False), [(1, 6, 5, 4)]),
    "line_one": (AvgPool((1,)), [(1, 1, 1)]),
    "line": (AvgPool((2,), (2,)), [(1, 13, 5)]),
    "line_even": (AvgPool((2,), (2,)), [(1, 12, 8)]),
    "line_padded": (AvgPool((3,), (2,), (1, 1)), [(1, 8, 6)]),
    "line_global": (AvgPool((16,), (16,)), [(1, 16, 12)]),
    "global": (AvgPool((7, 5), (7, 5)), [(1, 7, 5, 9)]),
}
