# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., I), w (O, kernel ..., I / groups), b (O)."""

from microai.ops import Conv

CASES = {
    "one": (Conv(), [(1, 1, 1, 1), (1, 1, 1, 1), (1,)]),
    "odd": (Conv(pads=(1, 1, 1, 1)), [(1, 5, 7, 3), (5, 3, 3, 3), (5,)]),
    "pointwise": (Conv(), [(1, 4, 3, 9), (7, 1, 1, 9), (7,)]),
    "wide_kernel": (Conv(pads=(0, 0, 1, 1)), [(1, 3, 6, 4), (8, 1, 3, 4), (8,)]),
    "tall_kernel": (Conv(stride=(2, 1)), [(1, 10, 3, 1), (4, 5, 1, 1), (4,)]),
    "strided": (Conv(stride=(2, 3), pads=(1, 0, 0, 2)), [(1, 6, 8, 2), (4, 3, 3, 2), (4,)]),
    "grouped": (Conv(groups=3, pads=(1, 1, 1, 1)), [(1, 4, 5, 6), (9, 3, 3, 2), (9,)]),
    "grouped_point": (Conv(groups=2), [(1, 3, 4, 6), (4, 1, 1, 3), (4,)]),
    "multiplier": (Conv(groups=2), [(1, 4, 4, 2), (6, 2, 2, 1), (6,)]),
    "all_pad": (Conv(pads=(4, 4, 4, 4)), [(1, 1, 2, 1), (2, 3, 3, 1), (2,)]),
    "relu": (Conv(clamp=(0.0, None)), [(1, 4, 4, 8), (8, 3, 3, 8), (8,)]),
    "dilated": (Conv((1, 2), (2, 1, 0, 3), (2, 3)), [(1, 7, 9, 3), (5, 3, 2, 3), (5,)]),
    "line_one": (Conv(), [(1, 1, 1), (1, 1, 1), (1,)]),
    "line_odd": (Conv(pads=(1, 1)), [(1, 13, 9), (5, 3, 9), (5,)]),
    "line_even": (Conv(pads=(1, 1), clamp=(0.0, None)), [(1, 16, 8), (8, 3, 8), (8,)]),
    "line_point": (Conv(), [(1, 11, 4), (6, 1, 4), (6,)]),
    "line_strided": (Conv((2,), (0, 2)), [(1, 17, 6), (4, 5, 6), (4,)]),
    "line_dilated": (Conv((1,), (3, 1), (2,)), [(1, 12, 3), (4, 3, 3), (4,)]),
    "line_grouped": (Conv((1,), (1, 1), groups=2), [(1, 9, 6), (4, 3, 3), (4,)]),
    "line_far_pad": (Conv(pads=(5, 4), dilation=(2,)), [(1, 2, 3), (3, 3, 3), (3,)]),
    "relu6": (Conv(clamp=(0.0, 0.5)), [(1, 4, 4, 4), (4, 2, 2, 4), (4,)]),
}
