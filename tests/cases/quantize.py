# SPDX-License-Identifier: Apache-2.0
"""Shapes: x, float32."""

from microai.ops import Quantize

CASES = {
    "one": (Quantize(), [(1, 1)]),
    "odd": (Quantize(), [(1, 37)]),
    "image": (Quantize(), [(1, 4, 5, 3)]),
}
