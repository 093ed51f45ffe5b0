# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (NHWC)."""

from microai.ops import AvgPool2d

CASES = {
    "one": (AvgPool2d((1, 1), (1, 1)), [(1, 1, 1, 1)]),
    "odd": (AvgPool2d((2, 2), (2, 2)), [(1, 5, 7, 3)]),
    "overlapping": (AvgPool2d((3, 3), (1, 2)), [(1, 5, 7, 5)]),
    "padded": (AvgPool2d((3, 2), (2, 2), (1, 1, 0, 1)), [(1, 6, 5, 4)]),
    "inside": (AvgPool2d((3, 3), (2, 2), (1, 1, 1, 1), count_pads=False), [(1, 6, 5, 4)]),
    "global": (AvgPool2d((7, 5), (7, 5)), [(1, 7, 5, 9)]),
}
