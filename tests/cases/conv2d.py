# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (NHWC), w (OHWI), b (O)."""

from microai.ops import Conv2d

CASES = {
    "one": (Conv2d(), [(1, 1, 1, 1), (1, 1, 1, 1), (1,)]),
    "odd": (Conv2d(pads=(1, 1, 1, 1)), [(1, 5, 7, 3), (5, 3, 3, 3), (5,)]),
    "pointwise": (Conv2d(), [(1, 4, 3, 9), (7, 1, 1, 9), (7,)]),
    "wide_kernel": (Conv2d(pads=(0, 0, 1, 1)), [(1, 3, 6, 4), (8, 1, 3, 4), (8,)]),
    "tall_kernel": (Conv2d(stride=(2, 1)), [(1, 10, 3, 1), (4, 5, 1, 1), (4,)]),
    "strided": (Conv2d(stride=(2, 3), pads=(1, 0, 0, 2)), [(1, 6, 8, 2), (4, 3, 3, 2), (4,)]),
    "grouped": (Conv2d(groups=3, pads=(1, 1, 1, 1)), [(1, 4, 5, 6), (9, 3, 3, 2), (9,)]),
    "multiplier": (Conv2d(groups=2), [(1, 4, 4, 2), (6, 2, 2, 1), (6,)]),
    "all_pad": (Conv2d(pads=(4, 4, 4, 4)), [(1, 1, 2, 1), (2, 3, 3, 1), (2,)]),
    "relu": (Conv2d(clamp=(0.0, None)), [(1, 4, 4, 8), (8, 3, 3, 8), (8,)]),
    "relu6": (Conv2d(clamp=(0.0, 0.5)), [(1, 4, 4, 4), (4, 2, 2, 4), (4,)]),
}
