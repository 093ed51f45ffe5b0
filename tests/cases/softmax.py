# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

from microai.ops import Softmax

CASES = {
    "one": (Softmax(), [(1, 1)]),
    "odd": (Softmax(), [(1, 37)]),
    "image": (Softmax(), [(1, 3, 2, 5)]),
    "many": (Softmax(), [(1, 1000)]),
}
