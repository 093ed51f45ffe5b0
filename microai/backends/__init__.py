# SPDX-License-Identifier: Apache-2.0
"""The backends, fastest first, and the kernels their folders hold."""

from collections.abc import Sequence

from microai.backend import Backend, Kernel
from microai.backends.portable import PORTABLE
from microai.backends.simd import SIMD
from microai.paths import data_dir

BACKENDS: tuple[Backend, ...] = (SIMD, PORTABLE)


def kernels(backends: Sequence[Backend] = BACKENDS) -> tuple[Kernel, ...]:
    """Every kernel of the backends, in order of preference."""
    return tuple(
        backend.kernel(path.name.removesuffix(".c.j2"))
        for backend in backends
        for path in sorted((data_dir("codegen_templates") / backend.name).glob("*.c.j2"))
    )
