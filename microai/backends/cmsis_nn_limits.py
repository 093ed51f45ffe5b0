# SPDX-License-Identifier: Apache-2.0
"""Where CMSIS-NN computes something else than the contract says, or reads and writes beyond memory.

Built with CMSIS_NN_USE_SINGLE_ROUNDING it rounds sums once, half up, with any multiplier < 2**31:
`((acc * M >> (s - 1)) + 1) >> 1` is the contract's rescale while twice the result fits int32.
Functions that shorten multipliers to 16 bits, or round more often, are called where that changes
nothing. Facts from the library's headers and sources (7.0.0 and main).
"""

from dataclasses import replace

import numpy as np

from microai.backend import Site
from microai.backends.finish import whole_factors
from microai.bounds import INT32_MAX
from microai.ops import AvgPool, Conv, DepthwiseConv
from microai.ops._window import Window

SHORT_BITS = 15
LARGEST_SIDE = (1 << 15) - 1  # places are held in int16
MOST_SHIFT = 33  # beside a multiplier of 2**30 it shifts by 63
MOST_TAPS = (1 << 16) - 1  # and counted in uint16


def _refuse_storage(site: Site) -> str:
    """What no function does."""
    kinds = (*site.types, site.node.type)
    if site.node.type.stored.rounding != "nearest":
        return "it rounds to nearest only"
    if site.types[0].dtype == "int16" and any(k.stored.zero for k in kinds if k.dtype == "int16"):
        return "its int16 has no zero point"
    return ""


def _refuse_side(site: Site) -> str:
    """Where places in an image are held in half a word."""
    side = max(*site.types[0].shape, *site.node.type.shape)
    return f"a side is {side}, over {LARGEST_SIDE}" if side > LARGEST_SIDE else ""


def _refuse_far(site: Site) -> str:
    """Version 7.0.0 holds twice the rescaled sum in 32 bits."""
    assert site.sums
    scaling = site.sums.scaling
    products = site.sums.bound.astype(object) * np.asarray(scaling.multipliers, object)
    reach = int(products.max()) >> (scaling.shift - 1)
    return f"twice a rescaled sum can reach {reach}, over int32" if reach >= INT32_MAX else ""


def refuse_linear(site: Site) -> str:
    """What none of the weighted sums does."""
    assert site.sums
    if set(site.consts) != {1, 2}:
        return "weights are not constant"
    if site.wide:
        return f"a sum can reach {int(site.sums.bound.max())}, over int32"
    return _refuse_storage(site) or _refuse_far(site)


def _beyond(window: Window, site: Site) -> tuple[int, ...]:
    """How far the last window reaches beyond the image, along each axis."""
    image, out = ((1, *kind.shape[1:-1])[-2:] for kind in (site.types[0], site.node.type))
    each = zip(out, window.stride, window.reach, window.before, image, strict=True)
    return tuple((o - 1) * s + r - b - i for o, s, r, b, i in each)


def refuse_conv(site: Site) -> str:
    """Kernels of one pixel are products of matrices, without padding."""
    op = site.node.op
    assert isinstance(op, Conv)
    window = op.window(site.types[1].shape).flat
    one = window.kernel == window.dilation == (1, 1) and not any(window.before)
    taps = site.types[1].size // site.types[1].shape[0]
    if op.groups > 1 and not site.types[0].dtype == site.types[1].dtype == "int8":
        return f"groups is {op.groups}, and not all is int8"
    if one and op.groups == 1 and max(_beyond(window, site)) > 0:
        return "a kernel of one pixel has padding behind the image only"
    if taps > MOST_TAPS:
        return f"a filter has {taps} taps, over {MOST_TAPS}"
    return _refuse_side(site) or refuse_linear(site)


def refuse_depthwise(site: Site) -> str:
    """Some of the kernels read or write beyond their memory where windows leave the image."""
    assert isinstance(site.node.op, DepthwiseConv)
    window = site.node.op.window(site.types[1].shape).flat
    behind = _beyond(window, site)
    if any(max(b, a) >= r for b, a, r in zip(window.before, behind, window.reach, strict=True)):
        return "a window lies outside the image"
    channels, four = site.types[0].shape[-1], site.types[1].dtype == "int4"
    if four and channels % 2 and max(window.dilation) > 1:
        return f"its dilated int4 kernel takes pairs of channels, not {channels}"
    small = window.kernel == (3, 3) and window.dilation == (1, 1) and max(window.before) <= 1
    if site.types[0].dtype == "int8" and not four and small and behind[1] > 1:
        return f"its 3x3 kernel reads beyond rows with {behind[1]} pixels of padding behind them"
    return _refuse_side(site) or refuse_linear(site)


def short(site: Site) -> list[tuple[int, int]]:
    """Each channel's multiplier and shift, without common powers of two."""
    assert site.sums
    shift = site.sums.scaling.shift
    common = [min(m & -m or 1, 1 << (shift - 1)) for m in site.sums.scaling.multipliers]
    pairs = zip(site.sums.scaling.multipliers, common, strict=True)
    return [(m // c, shift - (c.bit_length() - 1)) for m, c in pairs]


def _refuse_long(site: Site) -> str:
    bits = max(m.bit_length() for m, _ in short(site))
    long = f"it shortens multipliers to {SHORT_BITS} bits, one here has {bits}"
    return long if bits > SHORT_BITS else ""


def refuse_short_depthwise(site: Site) -> str:
    """int16: only the upper 16 bits of multipliers count."""
    return _refuse_long(site) or refuse_depthwise(site)


def refuse_single(site: Site) -> str:
    """Dense layers without a multiplier for each channel."""
    several = len(set(short(site))) > 1
    return "it has one multiplier for all channels" if several else refuse_linear(site)


def refuse_short_dense(site: Site) -> str:
    """Both."""
    return _refuse_long(site) or refuse_single(site)


def refuse_avg_pool(site: Site) -> str:
    """Ties go away from zero, where the contract's go up: windows must not have any."""
    op, out = site.node.op, site.node.type.stored
    assert isinstance(op, AvgPool)
    assert site.sums
    if out != site.types[0].stored:
        return "its output has the input's scale"
    counts = replace(op, count_pads=False).counts(site.types[0].shape[1:-1])
    if op.count_pads and counts.min() < np.prod(op.kernel):
        return "it does not count padding"
    if even := [n for n in np.unique(counts).tolist() if n % 2 == 0]:
        return f"it rounds ties away from zero, and the mean of {even[0]} may be one"
    off = site.sums.bound * site.sums.scaling.errors(site.sums.ratios)
    if off.max() * 2 * int(counts.max()) >= 1:
        return f"{int(counts.max())} elements are too many for equal means"
    return "it rounds to nearest only" if out.rounding != "nearest" else ""


def refuse_sum(site: Site) -> str:
    """The first two roundings have nothing to round where factors are whole and terms fit."""
    shift, factors = whole_factors(site)
    terms = [abs(f) * kind.stored.reach for f, kind in zip(factors, site.types, strict=True)]
    if 2 * sum(terms) > INT32_MAX:
        return f"it rounds three times, and sums of {sum(terms)} before the last do not fit"
    if shift > MOST_SHIFT:
        return f"its shift is {shift}, over {MOST_SHIFT}"
    return _refuse_storage(site)


def refuse_mul(site: Site) -> str:
    """Products of tensors of one shape."""
    if site.types[0].shape != site.types[1].shape:
        return "it has no factors for channels"
    return _refuse_storage(site) or _refuse_far(site)
