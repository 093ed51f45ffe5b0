# SPDX-License-Identifier: Apache-2.0
"""What a kernel may be varied in: its loops' numbers, how gcc optimizes, where its weights lie.

Variants compute the same integers. None is taken unless it was measured: `microai tune`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from microai.backend import Kernel
from microai.backends.simd_conv import Cut, recut

LEVELS = ("", "O2", "Os", "no-schedule-insns")
CUTS = {
    "unroll1": Cut(unroll=1), "unroll2": Cut(unroll=2), "unroll4": Cut(unroll=4),
    "columns2x": Cut(wider=2), "columns4x": Cut(wider=4), "columns8x": Cut(wider=8),
    "unroll4+columns2x": Cut(4, 2), "unroll4+columns4x": Cut(4, 4),
}  # fmt: skip


def variants(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Every kernel with its variants, itself first."""
    return tuple(variant for kernel in kernels for variant in _variants(kernel))


def _variants(kernel: Kernel) -> Iterator[Kernel]:
    """A library's code stays as it was built."""
    for shaped in (kernel, *_cuts(kernel)):
        for level in LEVELS[:1] if kernel.library else LEVELS:
            yield replace(shaped, optimize=level)
            yield replace(shaped, optimize=level, in_ram=True)


def _cuts(kernel: Kernel) -> Iterator[Kernel]:
    if kernel.backend == "simd" and kernel.template.startswith(("conv1d", "conv2d")):
        for name, cut in CUTS.items():
            yield recut(kernel, name, cut)
