# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

from microai.ops import Relu

CASES = {
    "one": (Relu(), [(1, 1)]),
    "odd": (Relu(), [(1, 3, 5, 7)]),
    "limited": (Relu(0.6), [(1, 23)]),
}
