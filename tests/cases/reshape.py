# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

from microai.ops import Reshape

CASES = {
    "one": (Reshape((1, 1)), [(1, 1, 1, 1)]),
    "flatten": (Reshape((1, 30)), [(1, 3, 5, 2)]),
    "image": (Reshape((1, 1, 5, 7)), [(1, 35)]),
}
