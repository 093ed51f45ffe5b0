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
MOST_SHIFT = 32  # of a sum: its own shifts go from -31 to 30
MOST_TAPS = (1 << 16) - 1  # and taps counted in uint16


def _refuse_storage(site: Site) -> str:
    """Storage that no function of the library reads or makes."""
    kinds = (*site.types, site.node.type)
    if site.node.type.stored.rounding != "nearest":
        return "the output rounds down"
    if site.types[0].dtype == "int16" and any(k.stored.zero for k in kinds if k.dtype == "int16"):
        return "int16 with a zero point"
    return ""


def _refuse_window(site: Site, taps: int) -> str:
    """Images and filters beyond what half a word counts."""
    side = max(*site.types[0].shape, *site.node.type.shape)
    if taps > MOST_TAPS:
        return f"a filter has {taps} taps, over {MOST_TAPS}"
    return f"a side is {side}, over {LARGEST_SIDE}" if side > LARGEST_SIDE else ""


def _refuse_far(site: Site) -> str:
    """Version 7.0.0 holds twice the rescaled sum in 32 bits."""
    assert site.sums
    scaling = site.sums.scaling
    products = site.sums.bound.astype(object) * np.asarray(scaling.multipliers, object)
    reach = int(products.max()) >> (scaling.shift - 1)
    return f"twice a rescaled sum can reach {reach}, over int32" if reach >= INT32_MAX else ""


def refuse_linear(site: Site) -> str:
    """Weighted sums beyond int32, before or after the rescale."""
    assert site.sums
    if site.wide:
        return f"a sum can reach {int(site.sums.bound.max())}, over int32"
    return _refuse_storage(site) or _refuse_far(site)


def _beyond(window: Window, site: Site) -> tuple[int, ...]:
    """How far the last window reaches beyond the image, along each axis."""
    image, out = ((1, *kind.shape[1:-1])[-2:] for kind in (site.types[0], site.node.type))
    each = zip(out, window.stride, window.reach, window.before, image, strict=True)
    return tuple((o - 1) * s + r - b - i for o, s, r, b, i in each)


def refuse_conv(site: Site) -> str:
    """Kernels of one pixel over bytes are products of matrices, without padding."""
    op, w = site.node.op, site.types[1]
    assert isinstance(op, Conv)
    window = op.window(w.shape).flat
    product = window.kernel == window.dilation == (1, 1) and not any(window.before)
    if op.groups > 1 and not site.types[0].dtype == w.dtype == "int8":
        return f"groups is {op.groups}, and not all is int8"
    product = product and op.groups == 1 and site.types[0].dtype == "int8"
    if product and max(_beyond(window, site)) > 0:
        return "a kernel of one pixel with padding behind the image only"
    return _refuse_window(site, w.size // w.shape[0]) or refuse_linear(site)


def refuse_depthwise(site: Site) -> str:
    """Some of the kernels read or write beyond their memory where windows leave the image."""
    op, w, channels = site.node.op, site.types[1], site.types[0].shape[-1]
    assert isinstance(op, DepthwiseConv)
    window = op.window(w.shape).flat
    behind = _beyond(window, site)
    if any(max(b, a) >= r for b, a, r in zip(window.before, behind, window.reach, strict=True)):
        return "a window lies outside the image"
    if w.dtype == "int4" and channels % 2 and max(window.dilation) > 1:
        return f"dilated int4 of an odd number of channels, {channels}"
    small = window.kernel == (3, 3) and window.dilation == (1, 1) and max(window.before) <= 1
    if site.types[0].dtype == w.dtype == "int8" and small and behind[1] > 1:
        return f"a 3x3 kernel with {behind[1]} pixels of padding behind rows"
    return _refuse_window(site, w.size // channels) or refuse_linear(site)


def short_scaling(site: Site) -> list[tuple[int, int]]:
    """Each channel's multiplier and shift, without common powers of two."""
    assert site.sums
    shift = site.sums.scaling.shift
    common = [min(m & -m or 1, 1 << (shift - 1)) for m in site.sums.scaling.multipliers]
    pairs = zip(site.sums.scaling.multipliers, common, strict=True)
    return [(m // c, shift - (c.bit_length() - 1)) for m, c in pairs]


def refuse_short_depthwise(site: Site) -> str:
    """int16: only the upper half of a multiplier counts."""
    bits = max(m.bit_length() for m, _ in short_scaling(site))
    if bits > SHORT_BITS:
        return f"a multiplier has {bits} bits, over {SHORT_BITS}"
    return refuse_depthwise(site)


def refuse_avg_pool(site: Site) -> str:
    """Ties go away from zero, where the contract's go up: windows must not have any."""
    op, out = site.node.op, site.node.type.stored
    assert isinstance(op, AvgPool)
    assert site.sums
    if out != site.types[0].stored:
        return "the output's scale or zero point is not the input's"
    counts = replace(op, count_pads=False).counts(site.types[0].shape[1:-1])
    if op.count_pads and counts.min() < np.prod(op.kernel):
        return "padding counts"
    if even := [n for n in np.unique(counts).tolist() if n % 2 == 0]:
        return f"the mean of {even[0]} elements may be a tie, which goes away from zero"
    if site.wide:
        return f"a sum can reach {int(site.sums.bound.max())}, over int32"
    off = site.sums.bound * site.sums.scaling.errors(site.sums.ratios)
    if off.max() * 2 * int(counts.max()) >= 1:
        return f"the mean of {int(counts.max())} elements is not the nearest integer"
    return "the output rounds down" if out.rounding != "nearest" else ""


def refuse_sum(site: Site) -> str:
    """The first two roundings have nothing to round where factors are whole and terms fit."""
    shift, factors = whole_factors(site)
    terms = [abs(f) * kind.stored.reach for f, kind in zip(factors, site.types, strict=True)]
    if 2 * sum(terms) > INT32_MAX:
        return f"terms are rounded as well, but where they fit: these reach {sum(terms)}"
    if shift > MOST_SHIFT:
        return f"its shift is {shift}, over {MOST_SHIFT}"
    return _refuse_storage(site)


def refuse_mul(site: Site) -> str:
    """Products of tensors of one shape."""
    if site.types[0].shape != site.types[1].shape:
        return "factors for channels"
    return _refuse_storage(site) or _refuse_far(site)
