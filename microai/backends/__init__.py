# SPDX-License-Identifier: Apache-2.0
"""The backends, fastest first, and the kernels their folders hold."""

from collections.abc import Sequence

from microai.backend import Backend, Kernel
from microai.backends.cmsis_nn import CMSIS_NN
from microai.backends.portable import PORTABLE
from microai.backends.simd import SIMD
from microai.paths import data_dir

BACKENDS: tuple[Backend, ...] = (SIMD, PORTABLE)
EVERY: tuple[Backend, ...] = (CMSIS_NN, *BACKENDS)
"""With what needs a library, and has its kernels once that is there: `cmsis_nn(library)`."""


def kernels(backends: Sequence[Backend] = BACKENDS) -> tuple[Kernel, ...]:
    """Every kernel of the backends, in order of preference."""
    return tuple(
        backend.kernel(path.name.removesuffix(".c.j2"))
        for backend in backends
        for path in sorted((data_dir("codegen_templates") / backend.name).glob("*.c.j2"))
    )
