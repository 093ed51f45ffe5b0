# SPDX-License-Identifier: Apache-2.0
"""Arm's CMSIS-NN, which the user has installed: the numbers of its calls, and their scratch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from microai.backend import (
    CODES,
    Backend,
    Kernel,
    Library,
    Request,
    Site,
    accepts,
    as_stored,
    nibbles,
    no_scratch,
)
from microai.backends.cmsis_nn_limits import (
    SHORT_BITS,
    refuse_avg_pool,
    refuse_conv,
    refuse_depthwise,
    refuse_linear,
    refuse_mul,
    refuse_short_depthwise,
    refuse_sum,
    short_scaling,
)
from microai.backends.finish import whole_factors
from microai.op import CParams, snake
from microai.ops import Conv, Dense
from microai.types import Array

NAME = "cmsis_nn"
ROUNDS_BY = 31  # its shift is to the left, beside multipliers of 31 bits
HALF_WORD = 16
ASKED = (
    "pad_h", "pad_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "in_h", "in_w", "in_c",
    "k_h", "k_w", "filter_c", "out_h", "out_w", "out_c",
)  # fmt: skip
"""What its size functions want to know, in the order of firmware/probes/cmsis_nn.c."""


def _code(site: Site) -> str:
    """Its functions' suffix."""
    four = len(site.types) > 1 and site.types[1].dtype == "int4"
    return CODES["int4"] if four else CODES[site.types[0].dtype]


def _filter_channels(site: Site) -> int:
    """Channels that a filter of a convolution sees, or a row of a dense layer."""
    return site.types[1].shape[-1] if isinstance(site.node.op, Conv | Dense) else 1


def call_params(site: Site) -> CParams:
    """Multipliers and shifts as it wants them: one for each output channel."""
    assert site.sums
    scaling = site.sums.scaling
    return {
        "code": _code(site), "filter_c": _filter_channels(site),
        "x_offset": -site.types[0].stored.zero,
        "shifts": (ROUNDS_BY - scaling.shift,) * site.node.type.shape[-1],
        "per_channel": len(set(scaling.multipliers)) > 1,
    }  # fmt: skip


def point_params(site: Site) -> CParams:
    """A dense layer as a convolution of an image of one pixel."""
    return {**dict(zip(ASKED, request(site)[1], strict=True)), **call_params(site)}


def short_params(site: Site) -> CParams:
    """Multipliers in the upper half of a word, and the shifts that go with them."""
    pairs = short_scaling(site)
    return {
        **call_params(site), "multipliers": tuple(m << HALF_WORD for m, _ in pairs),
        "shifts": tuple(SHORT_BITS - s for _, s in pairs),
    }  # fmt: skip


def pack_nibbles(site: Site) -> Mapping[int, Array]:
    """Two weights in a byte."""
    return {1: nibbles(site.consts[1]).view(np.int8), 2: site.consts[2]}


def pack_wide_bias(site: Site) -> Mapping[int, Array]:
    """Biases of 64 bits."""
    return {1: site.consts[1], 2: site.consts[2].astype(np.int64)}


def pool_params(site: Site) -> CParams:
    """The limits of the storage: a pool clamps nothing."""
    out = site.node.type.stored
    return {"code": _code(site), "low": out.low, "high": out.high}


def _offsets(site: Site) -> CParams:
    a, b = (-kind.stored.zero for kind in site.types)
    return {"a_offset": a, "b_offset": b, "size": site.node.type.size}


def sum_params(site: Site) -> CParams:
    """A factor f as a rescale by 2f / 2; only the sum is rounded."""
    shift, (a, b) = whole_factors(site)
    left = HALF_WORD if site.types[0].dtype == "int8" else 0  # bytes come as unsigned halfwords
    return {
        **_offsets(site), "code": _code(site), "left_shift": left,
        "a_twice": 2 * a, "b_twice": 2 * b, "term_shift": ROUNDS_BY - 1 - left,
        "sum_shift": 1 - shift,
    }  # fmt: skip


def mul_params(site: Site) -> CParams:
    """Zero points and the rescale of a product."""
    return {**_offsets(site), **call_params(site)}


@dataclass(frozen=True)
class Entry:
    """Templates `<slug>_<storage>` and what their kernels share."""

    slugs: str
    storages: str
    refuses: Callable[[Site], str]
    params: Callable[[Site], CParams]
    pack: Callable[[Site], Mapping[int, Array]] = as_stored
    asks: bool = True


CONV, DEPTHWISE = "conv1d conv2d", "depthwise_conv1d depthwise_conv2d"
MAX_POOL, AVG_POOL = "max_pool1d max_pool2d", "avg_pool1d avg_pool2d"
ENTRIES = (
    Entry(CONV, "s8 s16_ws8", refuse_conv, call_params),
    Entry(CONV, "s8_ws4", refuse_conv, call_params, pack_nibbles),
    Entry(DEPTHWISE, "s8", refuse_depthwise, call_params),
    Entry(DEPTHWISE, "s8_ws4", refuse_depthwise, call_params, pack_nibbles),
    Entry(DEPTHWISE, "s16_ws8", refuse_short_depthwise, short_params, pack_wide_bias),
    Entry("dense", "s8", refuse_linear, call_params),
    Entry("dense", "s8_ws4", refuse_linear, point_params, pack_nibbles),
    Entry("dense", "s16_ws8", refuse_linear, point_params),
    Entry(MAX_POOL, "s8 s16", accepts, pool_params, asks=False),
    Entry(AVG_POOL, "s8 s16", refuse_avg_pool, pool_params),
    Entry("add sub", "s8 s16", refuse_sum, sum_params, asks=False),
    Entry("mul", "s8 s16", refuse_mul, mul_params, asks=False),
)
CMSIS_NN = Backend(NAME)


def cmsis_nn(library: Library) -> Backend:
    """The backend for one installed library."""
    kernels = [
        Kernel(NAME, f"{slug}_{storage}", entry.refuses, entry.pack,
               request if entry.asks else no_scratch, entry.params, library)
        for entry in ENTRIES for slug in entry.slugs.split() for storage in entry.storages.split()
    ]  # fmt: skip
    return Backend(NAME, {kernel.template: kernel for kernel in kernels})


def request(site: Site) -> Request:
    """The size function of a site's function, with what it wants to know."""
    op = site.node.op
    own = {
        **dict.fromkeys(ASKED, 1), "pad_h": 0, "pad_w": 0,
        **op.c_params(*site.types, site.node.type),
        "filter_c": _filter_channels(site), "in_c": site.types[0].shape[-1],
        "out_c": site.node.type.shape[-1],
    }  # fmt: skip
    code = _code(site)
    name = "conv" if isinstance(op, Dense) and code != "s8" else snake(type(op).__name__)
    return f"{name}_{code}", tuple(int(str(own[key])) for key in ASKED)
