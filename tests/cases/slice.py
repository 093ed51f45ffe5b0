# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import Slice

CASES = {
    "one": (Slice(1, 0, 1), [(1, 1)]),
    "odd": (Slice(1, 3, 37), [(1, 41)]),
    "stepped": (Slice(1, 1, 30, 3), [(1, 37)]),
    "rows": (Slice(1, 1, 4), [(1, 6, 5, 3)]),
    "columns": (Slice(2, 2, 7, 2), [(1, 5, 7, 3)]),
    "channels": (Slice(3, 1, 6), [(1, 4, 3, 9)]),
    "channels_stepped": (Slice(3, 1, 9, 4), [(1, 4, 3, 9)]),
    "line": (Slice(1, 12, 13), [(1, 13, 5)]),
    "line_channels": (Slice(2, 0, 4), [(1, 9, 8)]),
}
