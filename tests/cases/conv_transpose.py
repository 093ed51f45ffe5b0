# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (N, ..., I), w (O, kernel ..., I), b (O)."""

from microai.ops import ConvTranspose

CASES = {
    "one": (ConvTranspose(), [(1, 1, 1, 1), (1, 1, 1, 1), (1,)]),
    "odd": (ConvTranspose(), [(1, 5, 7, 3), (5, 3, 3, 3), (5,)]),
    "twice": (ConvTranspose((2, 2)), [(1, 4, 3, 9), (7, 2, 2, 9), (7,)]),
    "strided": (ConvTranspose((2, 3), (1, 0, 0, 2)), [(1, 6, 4, 2), (4, 3, 4, 2), (4,)]),
    "gaps": (ConvTranspose((3, 2)), [(1, 3, 4, 2), (4, 2, 1, 2), (4,)]),
    "more": (ConvTranspose((2, 2), (1, 0, 1, -1)), [(1, 4, 3, 5), (3, 3, 2, 5), (3,)]),
    "cut": (ConvTranspose((1, 2), (3, 2, 2, 3)), [(1, 6, 5, 3), (2, 2, 2, 3), (2,)]),
    "relu": (ConvTranspose((2, 2), clamp=(0.0, None)), [(1, 3, 3, 8), (8, 3, 3, 8), (8,)]),
    "line_one": (ConvTranspose(), [(1, 1, 1), (1, 1, 1), (1,)]),
    "line": (ConvTranspose((2,), (1, 0)), [(1, 13, 5), (6, 3, 5), (6,)]),
    "line_more": (ConvTranspose((3,), (0, -2)), [(1, 8, 4), (3, 2, 4), (3,)]),
    "relu6": (ConvTranspose((2, 1), clamp=(0.0, 0.5)), [(1, 4, 4, 4), (4, 2, 2, 4), (4,)]),
}
