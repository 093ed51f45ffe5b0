# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (NHWC), w (HWC), b (C)."""

from microai.ops import DepthwiseConv2d

CASES = {
    "one": (DepthwiseConv2d(), [(1, 1, 1, 1), (1, 1, 1), (1,)]),
    "odd": (DepthwiseConv2d(pads=(1, 1, 1, 1)), [(1, 5, 7, 5), (3, 3, 5), (5,)]),
    "scale": (DepthwiseConv2d(), [(1, 3, 3, 6), (1, 1, 6), (6,)]),
    "strided": (DepthwiseConv2d((2, 2), (0, 1, 1, 0)), [(1, 8, 6, 4), (3, 3, 4), (4,)]),
    "uneven": (DepthwiseConv2d((1, 3), (2, 0, 0, 1)), [(1, 4, 9, 3), (4, 2, 3), (3,)]),
    "relu6": (DepthwiseConv2d(clamp=(0.0, 0.5)), [(1, 4, 4, 8), (3, 3, 8), (8,)]),
}
