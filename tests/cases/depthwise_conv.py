# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (NHWC), w (HWC), b (C)."""

from microai.ops import DepthwiseConv

CASES = {
    "one": (DepthwiseConv(), [(1, 1, 1, 1), (1, 1, 1), (1,)]),
    "odd": (DepthwiseConv(pads=(1, 1, 1, 1)), [(1, 5, 7, 5), (3, 3, 5), (5,)]),
    "scale": (DepthwiseConv(), [(1, 3, 3, 6), (1, 1, 6), (6,)]),
    "strided": (DepthwiseConv((2, 2), (0, 1, 1, 0)), [(1, 8, 6, 4), (3, 3, 4), (4,)]),
    "uneven": (DepthwiseConv((1, 3), (2, 0, 0, 1)), [(1, 4, 9, 3), (4, 2, 3), (3,)]),
    "dilated": (DepthwiseConv((1, 2), (2, 1, 0, 3), (2, 3)), [(1, 7, 9, 3), (3, 2, 3), (3,)]),
    "line_one": (DepthwiseConv(), [(1, 1, 1), (1, 1), (1,)]),
    "line": (DepthwiseConv(pads=(1, 1)), [(1, 13, 5), (3, 5), (5,)]),
    "line_strided": (DepthwiseConv((3,), (2, 0), (2,)), [(1, 17, 4), (4, 4), (4,)]),
    "line_relu": (DepthwiseConv(clamp=(0.0, None)), [(1, 9, 8), (5, 8), (8,)]),
    "relu6": (DepthwiseConv(clamp=(0.0, 0.5)), [(1, 4, 4, 8), (3, 3, 8), (8,)]),
}
