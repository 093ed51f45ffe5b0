# SPDX-License-Identifier: Apache-2.0
"""Shapes: x. Saturated inputs tie."""

from microai.ops import ArgMax

CASES = {
    "one": (ArgMax(), [(1, 1)]),
    "odd": (ArgMax(), [(1, 37)]),
    "many": (ArgMax(), [(1, 1000)]),
    "line": (ArgMax(), [(1, 13, 5)]),
    "image": (ArgMax(), [(1, 4, 3, 10)]),
}
