# SPDX-License-Identifier: Apache-2.0
"""Plain C99; takes everything."""

from collections.abc import Mapping

import numpy as np

from microai.backend import Backend, Kernel, Site, nibbles
from microai.backends.finish import zero_folded
from microai.types import Array


def pack(site: Site) -> Mapping[int, Array]:
    """Weights as they are, those of 4 bits two in a byte."""
    if len(site.types) > 1 and site.types[1].dtype == "int4":
        return {**site.consts, 1: nibbles(site.consts[1])}
    return site.consts


def fold_zero(site: Site) -> Mapping[int, Array]:
    """The bias as b - zero * sum(w): a dense layer then reads its input as it is.

    Not where that may leave int32.
    """
    if site.wide:
        return pack(site)
    return {**pack(site), 2: zero_folded(site).astype(np.int32)}


KERNELS = (
    Kernel("portable", "dense_int", pack=fold_zero),
    *(
        Kernel("portable", f"{op}{axes}d_int", pack=pack)
        for op in ("conv", "depthwise_conv", "conv_transpose")
        for axes in (1, 2)
    ),
)
PORTABLE = Backend("portable", {kernel.template: kernel for kernel in KERNELS})
