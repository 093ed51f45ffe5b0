# SPDX-License-Identifier: Apache-2.0
"""Shapes: x."""

import numpy as np

from microai.ops import Lookup
from microai.types import Quant

X = Quant("int8", (0.02,), zero=-7)
OUT = Quant("int8", (0.05,), zero=11)


def _drawn(seed: int) -> Lookup:
    """All 256 values in any order."""
    table = np.random.default_rng(seed).permutation(np.arange(-128, 128))
    return Lookup(tuple(table.tolist()), X, OUT)


CASES = {
    "one": (_drawn(0), [(1, 1)]),
    "odd": (_drawn(1), [(1, 37)]),
    "image": (_drawn(2), [(1, 3, 5, 7)]),
    "ends": (Lookup((-128,) * 100 + (127,) * 156, X, OUT), [(1, 13, 5)]),
}
