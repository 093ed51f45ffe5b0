# SPDX-License-Identifier: Apache-2.0
"""Our kernels for the Cortex-M4's DSP extension; on other machines the same in plain C."""

from collections.abc import Callable, Mapping

import numpy as np

from microai.backend import Backend, Kernel, Site
from microai.backends.finish import (
    MOST_SHIFT,
    finish_of,
    finish_params,
    folded_bias,
    limit_params,
    refuse_linear,
    whole_factors,
)
from microai.backends.simd_conv import (
    Cut,
    pack_bytes,
    pack_words,
    refuse_conv,
)
from microai.bounds import INT32_MAX
from microai.fixedpoint import half_of
from microai.kernels import SUMS, WIDE_SUMS
from microai.op import CParams
from microai.ops import AvgPool, DepthwiseConv
from microai.types import Array

BYTE_SUM_LIMIT = 255  # bytes that a halfword can add up
LARGEST_FACTOR = 1 << 15  # of a pair


def _channels(site: Site) -> int:
    return site.types[0].shape[-1]


def _refuse_uneven(site: Site, step: int) -> str:
    channels = _channels(site)
    return f"{channels} channels are no multiple of {step}" if channels % step else ""


def pack_dense(site: Site) -> Mapping[int, Array]:
    """Rows in groups, word by word in turn; zeros behind the last column and row."""
    w = site.consts[1]
    int8 = w.dtype == np.int8
    step, rows = (4 if int8 else 2), _group(site)
    padded = np.pad(w, ((0, -len(w) % rows), (0, -w.shape[1] % step)))
    words = padded.reshape(-1, rows, padded.shape[1] // step, step)
    if int8 and site.types[0].dtype == "int16":
        words = words[..., [0, 2, 1, 3]]
    bias = np.pad(folded_bias(site), (0, -len(w) % rows))
    return {1: np.ascontiguousarray(words.transpose(0, 2, 1, 3)), 2: bias.astype(np.int32)}


def _group(site: Site) -> int:
    """Rows at a time: as many as registers hold, with the fewest left over."""
    rows = len(site.consts[1])
    most = WIDE_SUMS if site.wide else SUMS
    return -(-rows // -(-rows // most))


def dense_params(site: Site) -> CParams:
    """How rows go together, and how sums become outputs."""
    return {"group": _group(site), **finish_params(site)}


def refuse_depthwise(site: Site) -> str:
    """Channels go four at a time."""
    return _refuse_uneven(site, 4) or refuse_linear(site)


def pack_depthwise(site: Site) -> Mapping[int, Array]:
    """Weights as they are, the bias with all that is folded into it."""
    return {1: site.consts[1], 2: folded_bias(site).astype(np.int32)}


def _outside_bytes(site: Site) -> int:
    """A pixel outside the image, up to the next word."""
    return -(-site.types[0].bytes // site.types[0].size * _channels(site) // 4) * 4


def depthwise_scratch(site: Site) -> int:
    """That pixel, and a word for each tap."""
    return _outside_bytes(site) + 4 * site.types[1].size // _channels(site)


def depthwise_params(site: Site) -> CParams:
    """Where in the scratch the taps are, and how sums become outputs."""
    assert isinstance(site.node.op, DepthwiseConv)
    kind = f"{site.types[0].dtype}_t"
    return {"x_type": kind, "taps_offset": _outside_bytes(site), **finish_params(site)}


def sum_params(site: Site) -> CParams:
    """Both multipliers as a pair; zero points and rounding in one constant."""
    shift, factors = whole_factors(site)
    constant = _sum_constant(site, shift, factors)
    low, high = (factor & 0xFFFF for factor in factors)
    return {
        **limit_params(site), "power": False, "finish_shift": shift, "constant": constant,
        "pair": low | high << 16, "x_zero": 0,
    }  # fmt: skip


def _sum_constant(site: Site, shift: int, factors: tuple[int, int]) -> int:
    """Zero points and rounding."""
    zeros = (kind.stored.zero for kind in site.types)
    out = site.node.type.stored
    fixed = half_of(shift, out.rounding) + (out.zero << shift)
    return fixed - sum(zero * factor for zero, factor in zip(zeros, factors, strict=True))


def refuse_sum(site: Site) -> str:
    """Factors of 15 bits, and a sum that fits int32 with all that is folded into it."""
    shift, factors = whole_factors(site)
    constant = _sum_constant(site, shift, factors)
    if shift > MOST_SHIFT:
        return f"its shift is {shift}, over {MOST_SHIFT}"
    if max(map(abs, factors)) >= LARGEST_FACTOR:
        return f"its factors {factors} are no pair of halfwords"
    terms = zip(factors, site.types, strict=True)
    reach = abs(constant) + sum(abs(f) * -kind.stored.low for f, kind in terms)
    return f"a sum can reach {reach}, over int32" if reach > INT32_MAX else ""


def refuse_max_pool(site: Site) -> str:
    """Channels go by the word."""
    return _refuse_uneven(site, 4 if site.types[0].dtype == "int8" else 2)


def refuse_avg_pool(site: Site) -> str:
    """The same; bytes are added up in halfwords."""
    assert isinstance(site.node.op, AvgPool)
    count = int(np.prod(site.node.op.kernel))
    if site.types[0].dtype == "int8" and count > BYTE_SUM_LIMIT:
        return f"a window has {count} elements, over {BYTE_SUM_LIMIT}"
    assert site.sums
    reach = int(site.sums.bound.max()) + abs(finish_of(site).bias)
    if reach > INT32_MAX:
        return f"with what is folded into it a sum can reach {reach}, over int32"
    return refuse_max_pool(site)


def avg_pool_params(site: Site) -> CParams:
    """There is no bias for what rides in it: it is the constant."""
    params = finish_params(site)
    return {**params, "constant": finish_of(site).bias} if params["power"] else params


Refuses = Callable[[Site], str]
Pack = Callable[[Site], Mapping[int, Array]]


def _convs(code: str, pack: Pack) -> tuple[Kernel, ...]:
    return tuple(
        Kernel("simd", f"conv{axes}d_{code}", refuse_conv, pack, Cut().scratch, Cut().params)
        for axes in (1, 2)
    )


def _depthwise(code: str) -> tuple[Kernel, ...]:
    return tuple(
        Kernel("simd", f"depthwise_conv{axes}d_{code}", refuse_depthwise, pack_depthwise,
               depthwise_scratch, depthwise_params)
        for axes in (1, 2)
    )  # fmt: skip


def _pools(code: str) -> tuple[Kernel, ...]:
    return tuple(
        kernel
        for axes in (1, 2)
        for kernel in (
            Kernel("simd", f"max_pool{axes}d_{code}", refuse_max_pool),
            Kernel("simd", f"avg_pool{axes}d_{code}", refuse_avg_pool, params=avg_pool_params),
        )
    )


KERNELS = (
    *_convs("s8", pack_bytes), *_convs("s16", pack_words), *_convs("s16_ws8", pack_bytes),
    *_depthwise("s8"), *_depthwise("s16"), *_depthwise("s16_ws8"),
    *(Kernel("simd", f"dense_{code}", refuse_linear, pack_dense, params=dense_params)
      for code in ("s8", "s16", "s16_ws8")),
    *(Kernel("simd", f"{op}_{code}", refuse_sum, params=sum_params)
      for op in ("add", "sub") for code in ("s8", "s16")),
    *_pools("s8"), *_pools("s16"),
)  # fmt: skip
SIMD = Backend("simd", {kernel.template: kernel for kernel in KERNELS})
