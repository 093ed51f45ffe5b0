# SPDX-License-Identifier: Apache-2.0
"""Shapes: two or more tensors."""

from microai.ops import Concat

CASES = {
    "one": (Concat(1), [(1, 1), (1, 1)]),
    "odd": (Concat(1), [(1, 37), (1, 5), (1, 11)]),
    "rows": (Concat(1), [(1, 2, 5, 3), (1, 1, 5, 3)]),
    "columns": (Concat(2), [(1, 3, 2, 4), (1, 3, 5, 4), (1, 3, 1, 4)]),
    "channels": (Concat(3), [(1, 4, 3, 9), (1, 4, 3, 2)]),
    "line": (Concat(1), [(1, 13, 5), (1, 4, 5)]),
    "line_channels": (Concat(2), [(1, 9, 8), (1, 9, 3)]),
}
