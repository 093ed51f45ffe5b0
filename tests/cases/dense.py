# SPDX-License-Identifier: Apache-2.0
"""Shapes: x (1, I), w (O, I), b (O)."""

from microai.ops import Dense

CASES = {
    "one": (Dense(), [(1, 1), (1, 1), (1,)]),
    "odd": (Dense(), [(1, 37), (11, 37), (11,)]),
    "wide": (Dense(), [(1, 256), (3, 256), (3,)]),
    "relu": (Dense(clamp=(0.0, None)), [(1, 16), (10, 16), (10,)]),
}
