# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

from microai.ops import Relu

CASES = {
    "one": (Relu(), [(1, 1)]),
    "odd": (Relu(), [(1, 3, 5, 7)]),
    "between": (Relu(0.6, -0.4), [(1, 2, 9)]),
    "below": (Relu(0.3, None), [(1, 6)]),
    "limited": (Relu(0.6), [(1, 23)]),
}
