# SPDX-License-Identifier: Apache-2.0
"""The support matrix, read off the template folders."""

from collections.abc import Sequence

from microai.backend import Kernel, op_slug
from microai.ops import OPS

Matrix = dict[str, dict[str, list[str]]]
"""Op -> backend -> storage of input, weights and output, with the kernel's variant."""


def support_matrix(kernels: Sequence[Kernel]) -> Matrix:
    """Which kernel takes which op in which storage."""
    matrix: Matrix = {op.__name__: {} for op in OPS}
    slugs = sorted(((op_slug(op), op.__name__) for op in OPS), key=lambda pair: -len(pair[0]))
    for kernel in kernels:
        for slug, op in slugs:
            if kernel.template.startswith(f"{slug}_"):
                types = kernel.template.removeprefix(f"{slug}_")
                matrix[op].setdefault(kernel.backend, []).append(types)
                break
    return matrix
