# SPDX-License-Identifier: Apache-2.0
"""Shapes: a, b."""

from microai.ops import Sub

CASES = {
    "one": (Sub(), [(1, 1), (1, 1)]),
    "odd": (Sub(), [(1, 37), (1, 37)]),  # not a multiple of the SIMD width
    "image": (Sub(), [(1, 3, 5, 2), (1, 3, 5, 2)]),
    "relu": (Sub(clamp=(0.0, None)), [(1, 8), (1, 8)]),
    "relu6": (Sub(clamp=(0.0, 0.7)), [(1, 4, 4, 3), (1, 4, 4, 3)]),
}
