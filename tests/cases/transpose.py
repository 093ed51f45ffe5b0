# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., C)."""

from microai.ops import Transpose

CASES = {
    "one": (Transpose((0, 1)), [(1, 1)]),
    "vector": (Transpose((0, 1)), [(1, 7)]),
    "signal": (Transpose((0, 2, 1)), [(1, 5, 3)]),
    "first": (Transpose((0, 3, 1, 2)), [(1, 4, 3, 5)]),
    "last": (Transpose((0, 2, 3, 1)), [(1, 4, 3, 5)]),
    "turned": (Transpose((0, 3, 2, 1)), [(1, 2, 7, 3)]),
    "image": (Transpose((0, 2, 1, 3)), [(1, 6, 5, 4)]),
}
