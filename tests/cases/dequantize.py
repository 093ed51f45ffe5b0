# SPDX-License-Identifier: Apache-2.0
"""Shapes: x, integers."""

from microai.ops import Dequantize

CASES = {
    "one": (Dequantize(), [(1, 1)]),
    "odd": (Dequantize(), [(1, 37)]),
    "image": (Dequantize(), [(1, 4, 5, 3)]),
}
