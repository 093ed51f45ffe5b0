# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import Pad

CASES = {
    "one": (Pad((0, 1)), [(1, 1)]),
    "odd": (Pad((3, 1), 0.4), [(1, 37)]),
    "image": (Pad((1, 2, 0, 3, 0, 0)), [(1, 4, 3, 5)]),
    "channels": (Pad((0, 0, 0, 0, 2, 1), -0.3), [(1, 3, 2, 7)]),
    "everywhere": (Pad((1, 1, 2, 2, 1, 1), 0.1), [(1, 2, 3, 4)]),
    "nothing": (Pad((0, 0, 0, 0)), [(1, 5, 3)]),
    "line": (Pad((2, 1, 0, 0)), [(1, 13, 5)]),
    "beyond": (Pad((1, 0, 0, 0), 1e6), [(1, 4, 3)]),
    "below": (Pad((0, 1, 0, 0), -1e6), [(1, 4, 3)]),
}
