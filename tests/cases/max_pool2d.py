# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (NHWC)."""

from microai.ops import MaxPool2d

CASES = {
    "one": (MaxPool2d((1, 1), (1, 1)), [(1, 1, 1, 1)]),
    "odd": (MaxPool2d((2, 2), (2, 2)), [(1, 5, 7, 3)]),
    "overlapping": (MaxPool2d((3, 3), (1, 2)), [(1, 5, 7, 5)]),
    "padded": (MaxPool2d((3, 2), (2, 2), (1, 1, 0, 1)), [(1, 6, 5, 4)]),
    "global": (MaxPool2d((4, 3), (4, 3)), [(1, 4, 3, 9)]),
}
