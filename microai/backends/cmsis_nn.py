# SPDX-License-Identifier: Apache-2.0
"""Arm's CMSIS-NN, which the user has installed: layers that it computes as the contract does.

Built with CMSIS_NN_USE_SINGLE_ROUNDING it rounds sums once, half up, with any multiplier < 2**31:
`((acc * M >> (s - 1)) + 1) >> 1` is the contract's rescale while twice the result fits int32.
The functions that shorten multipliers to 16 bits, or round more often, are called where that
changes nothing, and refused elsewhere. Facts from its headers and sources (7.0.0 and main).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from microai.backend import (
    CODES,
    Backend,
    Kernel,
    Library,
    Site,
    as_stored,
    no_scratch,
)
from microai.backends.finish import whole_factors
from microai.bounds import INT32_MAX
from microai.op import CParams
from microai.ops import AvgPool, Conv, DepthwiseConv
from microai.ops._window import Window
from microai.types import Array

NAME = "cmsis_nn"
ROUNDS_BY = 31  # its shift is to the left, beside multipliers of 31 bits
SHORT_BITS = 15
HALF_WORD = 16
LARGEST_SIDE = (1 << 15) - 1  # it holds places in int16
MOST_TAPS = (1 << 16) - 1  # and counts in uint16
ASKED = (
    "pad_h", "pad_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "in_h", "in_w", "in_c",
    "k_h", "k_w", "filter_c", "out_h", "out_w", "out_c",
)  # fmt: skip
"""What its size functions want to know, in the order of firmware/probes/cmsis_nn.c."""

Refuses = Callable[[Site], str]
Params = Callable[[Site], CParams]
Pack = Callable[[Site], Mapping[int, Array]]


def _filter_channels(site: Site) -> int:
    """Channels that a filter of a convolution sees."""
    return site.types[1].shape[-1] if isinstance(site.node.op, Conv) else 1


def refuse_linear(site: Site) -> str:
    """What none of its weighted sums does."""
    assert site.sums
    if site.node.type.stored.rounding != "nearest":
        return "it rounds to nearest only"
    if set(site.consts) != {1, 2}:
        return "weights are not constant"
    if site.wide:
        return f"a sum can reach {int(site.sums.bound.max())}, over int32"
    if site.types[0].dtype == "int16" and (site.types[0].stored.zero or site.node.type.stored.zero):
        return "its int16 has no zero point"
    if max(*site.types[0].shape, *site.node.type.shape) > LARGEST_SIDE:
        return f"a side is {max(*site.types[0].shape, *site.node.type.shape)}, over {LARGEST_SIDE}"
    return _refuse_far(site)


def _refuse_far(site: Site) -> str:
    """Version 7.0.0 holds twice the rescaled sum in 32 bits."""
    assert site.sums
    scaling = site.sums.scaling
    products = site.sums.bound.astype(object) * np.asarray(scaling.multipliers, object)
    reach = int(products.max()) >> (scaling.shift - 1)
    return f"twice a rescaled sum can reach {reach}, over int32" if reach >= INT32_MAX else ""


def _beyond(window: Window, site: Site) -> tuple[int, ...]:
    """How far the last window reaches beyond the image, along each axis."""
    image, out = ((1, *kind.shape[1:-1])[-2:] for kind in (site.types[0], site.node.type))
    each = zip(out, window.stride, window.reach, window.before, image, strict=True)
    return tuple((o - 1) * s + r - b - i for o, s, r, b, i in each)


def refuse_conv(site: Site) -> str:
    """Kernels of one pixel are products of matrices, without padding."""
    assert isinstance(site.node.op, Conv)
    window = site.node.op.window(site.types[1].shape).flat
    one = window.kernel == window.dilation == (1, 1) and not any(window.before)
    if site.types[0].dtype == "int16" and site.node.op.groups > 1:
        return f"groups is {site.node.op.groups}, in int16"
    if one and site.node.op.groups == 1 and max(_beyond(window, site)) > 0:
        return "a kernel of one pixel has padding behind the image only"
    if site.types[1].size // site.types[1].shape[0] > MOST_TAPS:
        return f"a filter has {site.types[1].size // site.types[1].shape[0]} taps, over {MOST_TAPS}"
    return refuse_linear(site)


def refuse_depthwise(site: Site) -> str:
    """Some of its kernels read or write beyond their memory where windows leave the image."""
    assert isinstance(site.node.op, DepthwiseConv)
    window = site.node.op.window(site.types[1].shape).flat
    behind = _beyond(window, site)
    if any(max(b, a) >= r for b, a, r in zip(window.before, behind, window.reach, strict=True)):
        return "a window lies outside the image"
    small = window.kernel == (3, 3) and window.dilation == (1, 1) and max(window.before) <= 1
    if site.types[0].dtype == "int8" and small and behind[1] > 1:
        return f"its 3x3 kernel reads beyond rows with {behind[1]} pixels of padding behind them"
    return refuse_linear(site)


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


def _short(site: Site) -> list[tuple[int, int]]:
    """Each channel's multiplier and shift, without common powers of two."""
    assert site.sums
    shift = site.sums.scaling.shift
    common = [min(m & -m or 1, 1 << (shift - 1)) for m in site.sums.scaling.multipliers]
    pairs = zip(site.sums.scaling.multipliers, common, strict=True)
    return [(m // c, shift - (c.bit_length() - 1)) for m, c in pairs]


def refuse_short(site: Site) -> str:
    """Functions that keep the upper 16 bits of a multiplier."""
    bits = max(m.bit_length() for m, _ in _short(site))
    if bits > SHORT_BITS:
        return f"it shortens multipliers to {SHORT_BITS} bits, one here has {bits}"
    if isinstance(site.node.op, DepthwiseConv):
        return refuse_depthwise(site)
    return refuse_linear(site) or (
        "it has one multiplier for all channels" if len(set(_short(site))) > 1 else ""
    )


def short_params(site: Site) -> CParams:
    """The same with multipliers in the upper half of a word."""
    pairs = _short(site)
    return {
        **call_params(site), "multipliers": tuple(m << HALF_WORD for m, _ in pairs),
        "shifts": tuple(SHORT_BITS - s for _, s in pairs),
    }  # fmt: skip


def pack_wide_bias(site: Site) -> Mapping[int, Array]:
    """Biases of 64 bits."""
    return {1: site.consts[1], 2: site.consts[2].astype(np.int64)}


def refuse_pool(site: Site) -> str:
    """What neither pool does."""
    side = max(site.types[0].shape)
    return f"a side is {side}, over {LARGEST_SIDE}" if side > LARGEST_SIDE else ""


def refuse_avg_pool(site: Site) -> str:
    """Ties go away from zero, where the contract's go up: windows must not have any."""
    op, out = site.node.op, site.node.type.stored
    assert isinstance(op, AvgPool)
    assert site.sums
    if out != site.types[0].stored:
        return "its output has the input's scale"
    if out.rounding != "nearest":
        return "it rounds to nearest only"
    counts = replace(op, count_pads=False).counts(site.types[0].shape[1:-1])
    if op.count_pads and counts.min() < np.prod(op.kernel):
        return "it does not count padding"
    if even := [n for n in np.unique(counts).tolist() if n % 2 == 0]:
        return f"it rounds ties away from zero, and the mean of {even[0]} may be one"
    off = site.sums.bound * site.sums.scaling.errors(site.sums.ratios)
    if off.max() * 2 * int(counts.max()) >= 1:
        return f"{int(counts.max())} elements are too many for equal means"
    return refuse_pool(site)


def pool_params(site: Site) -> CParams:
    """Nothing is clamped."""
    out = site.node.type.stored
    return {"code": _code(site), "low": out.low, "high": out.high}


def refuse_sum(site: Site) -> str:
    """Its first two roundings have nothing to round where factors are whole and terms fit."""
    if site.node.type.stored.rounding != "nearest":
        return "it rounds to nearest only"
    shift, factors = whole_factors(site)
    zeros = [kind.stored.zero for kind in (*site.types, site.node.type)]
    if site.types[0].dtype == "int16" and any(zeros):
        return "its int16 has no zero point"
    terms = [abs(f) * kind.stored.reach for f, kind in zip(factors, site.types, strict=True)]
    if 2 * sum(terms) > INT32_MAX or 2 * sum(terms) >> shift > INT32_MAX:
        return f"it rounds three times, and sums of {sum(terms)} before the last do not fit"
    return ""


def sum_params(site: Site) -> CParams:
    """A factor f as a rescale by 2f / 2; only the sum is rounded."""
    shift, (a, b) = whole_factors(site)
    left = HALF_WORD if site.types[0].dtype == "int8" else 0  # its bytes come as unsigned halfwords
    return {
        "code": _code(site), "left_shift": left,
        "a_offset": -site.types[0].stored.zero, "b_offset": -site.types[1].stored.zero,
        "a_twice": 2 * a, "b_twice": 2 * b, "term_shift": ROUNDS_BY - 1 - left,
        "sum_shift": 1 - shift,
    }  # fmt: skip


def refuse_mul(site: Site) -> str:
    """Products of tensors of one shape."""
    if site.types[0].shape != site.types[1].shape:
        return "it has no factors for channels"
    if site.node.type.stored.rounding != "nearest":
        return "it rounds to nearest only"
    if site.types[0].dtype == "int16" and any(
        kind.stored.zero for kind in (*site.types, site.node.type)
    ):
        return "its int16 has no zero point"
    return _refuse_far(site)


def mul_params(site: Site) -> CParams:
    """Where the rescale goes."""
    return {
        **call_params(site), "size": site.node.type.size,
        "a_offset": -site.types[0].stored.zero, "b_offset": -site.types[1].stored.zero,
    }  # fmt: skip


def _code(site: Site) -> str:
    """Its functions' suffix."""
    return CODES[site.types[0].dtype]


Entry = tuple[str, Refuses, Params, Pack, bool]
"""Template, what it refuses, numbers, packing, and whether it wants scratch."""


def _lines(op: str, codes: str, rest: tuple[Refuses, Params, Pack, bool]) -> tuple[Entry, ...]:
    """An op along one axis and along two."""
    return tuple((f"{op}{n}d_{code}", *rest) for n in (1, 2) for code in codes.split())


LINEAR, POOL = (call_params, as_stored, True), (pool_params, as_stored)
ENTRIES: tuple[Entry, ...] = (
    *_lines("conv", "s8 s16_ws8", (refuse_conv, *LINEAR)),
    *_lines("depthwise_conv", "s8", (refuse_depthwise, *LINEAR)),
    *_lines("depthwise_conv", "s16_ws8", (refuse_short, short_params, pack_wide_bias, True)),
    ("dense_s8", refuse_linear, *LINEAR),
    ("dense_s16_ws8", refuse_short, short_params, pack_wide_bias, True),
    *_lines("max_pool", "s8 s16", (refuse_pool, *POOL, False)),
    *_lines("avg_pool", "s8 s16", (refuse_avg_pool, *POOL, True)),
    *((f"{op}_{code}", refuse_sum, sum_params, as_stored, False)
      for op in ("add", "sub") for code in ("s8", "s16")),
    *((f"mul_{code}", refuse_mul, mul_params, as_stored, False) for code in ("s8", "s16")),
)  # fmt: skip


CMSIS_NN = Backend(NAME)


def cmsis_nn(library: Library) -> Backend:
    """The backend for one installed library."""
    kernels = [
        Kernel(NAME, template, refuses, pack, _scratch(library, template) if asks else no_scratch,
               params, library)
        for template, refuses, params, pack, asks in ENTRIES
    ]  # fmt: skip
    return Backend(NAME, {kernel.template: kernel for kernel in kernels})


def _scratch(library: Library, template: str) -> Callable[[Site], int]:
    """What the size function of a template's function says."""
    function = re.sub(r"(\dd)?_(s\d+)(_ws8)?", r"_\2", template)

    def ask(site: Site) -> int:
        own = {
            **dict.fromkeys(ASKED, 1), **site.node.op.c_params(*site.types, site.node.type),
            "filter_c": _filter_channels(site), "in_c": site.types[0].shape[-1],
            "out_c": site.node.type.shape[-1],
        }  # fmt: skip
        return library.scratch(function, tuple(int(str(own[key])) for key in ASKED))

    return ask
