# SPDX-License-Identifier: Apache-2.0
"""The support matrix, read off the template folders."""

import re
from collections.abc import Sequence

from microai.backend import Kernel
from microai.op import snake
from microai.ops import OPS

Matrix = dict[str, dict[str, list[str]]]
"""Op -> backend -> storage of input, weights and output, with the kernel's variant."""


def support_matrix(kernels: Sequence[Kernel]) -> Matrix:
    """Which kernel takes which op in which storage."""
    matrix: Matrix = {op.__name__: {} for op in OPS}
    longest_first = sorted((op.__name__ for op in OPS), key=len, reverse=True)
    for kernel in kernels:
        for op in longest_first:
            if found := re.fullmatch(rf"{snake(op)}(?:([12]d))?_(.+)", kernel.template):
                types = " ".join(filter(None, found.groups()))
                matrix[op].setdefault(kernel.backend, []).append(types)
                break
    return matrix
