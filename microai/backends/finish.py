# SPDX-License-Identifier: Apache-2.0
"""From sums to outputs in two instructions: what the C struct mai_finish says.

For a shift s of 33 and more the product's low word cannot matter, so its upper word, rounded by
2**(s - 33), is shifted by s - 32; the zero point rides in the same constant. Where every multiplier
is the same power of two (Qm.n) the sum is only shifted, and both ride in the bias.
"""

from dataclasses import dataclass

import numpy as np

from microai.backend import Site
from microai.bounds import INT32_MAX
from microai.fixedpoint import clamp_ints, half_of
from microai.op import CParams
from microai.types import Ints

WORD = 32
MOST_SHIFT = 30
CONSTANT_LIMIT = 1 << 30  # beside an upper word below 2**30 it fits int32


@dataclass(frozen=True)
class Finish:
    """`shift` 0: the whole rescale. `power`: by shift alone, `bias` added to every sum."""

    power: bool = False
    shift: int = 0
    constant: int = 0
    bias: int = 0


def finish_params(site: Site) -> CParams:
    """What templates print."""
    finish = finish_of(site)
    return {
        "power": finish.power, "finish_shift": finish.shift, "constant": finish.constant,
        **limit_params(site),
    }  # fmt: skip


def limit_params(site: Site) -> CParams:
    """The bits of a saturation that is the output's clamp: signed, unsigned, or 0 for neither."""
    clamp = getattr(site.node.op, "clamp", (None, None))
    low, high = clamp_ints(clamp, site.node.type.stored)
    bits = high.bit_length()
    whole = high == (1 << bits) - 1
    return {
        "ssat": bits + 1 if whole and low == -high - 1 else 0,
        "usat": bits if whole and low == 0 else 0,
    }


def finish_of(site: Site) -> Finish:
    """The shortest exact way for a layer whose sums have multipliers and one shift."""
    assert site.sums
    scaling, out = site.sums.scaling, site.node.type.stored
    half = half_of(scaling.shift, out.rounding)
    common = scaling.multipliers[0]
    if common and set(scaling.multipliers) == {common} and common & (common - 1) == 0:
        exponent = scaling.shift - (common.bit_length() - 1)
        if 1 <= exponent <= MOST_SHIFT:
            bias = half // common + (out.zero << exponent)
            return Finish(power=True, shift=exponent, bias=bias)
    shift = scaling.shift - WORD
    constant = (half >> WORD) + (out.zero << max(shift, 0))
    if not 1 <= shift <= MOST_SHIFT or abs(constant) >= CONSTANT_LIMIT:
        return Finish()
    return Finish(shift=shift, constant=constant)


def whole_factors(site: Site) -> tuple[int, tuple[int, int]]:
    """The shift and both factors of a two-term sum, without common powers of two."""
    own = site.node.op.c_params(*site.types, site.node.type)
    a, b, shift = (int(str(own[key])) for key in ("a_multiplier", "b_multiplier", "shift"))
    most = 1 << (shift - 1)
    common = min((a | b) & -(a | b) or most, most)
    return shift - (common.bit_length() - 1), (a // common, b // common)


def zero_folded(site: Site) -> Ints:
    """b - zero * sum(w): the bias of sums of raw integers."""
    w, b = (site.consts[i].astype(np.int64) for i in (1, 2))
    axis = site.node.op.CHANNEL_AXIS[1] % w.ndim
    sums = w.sum(axis=tuple(i for i in range(w.ndim) if i != axis))
    bias: Ints = b - site.types[0].stored.zero * sums
    return bias


def folded_bias(site: Site) -> Ints:
    """That, and what the finish adds."""
    return zero_folded(site) + finish_of(site).bias


def refuse_linear(site: Site) -> str:
    """What sums of raw integers with a folded bias cannot hold."""
    assert site.sums
    folded = np.abs(folded_bias(site))
    if folded.max() > INT32_MAX:
        return f"a folded bias is {folded.max()}, over int32"
    products = site.sums.bound - np.abs(site.consts[2].astype(np.int64))
    reach = int((products + folded).max())
    if not site.wide and reach > INT32_MAX:
        return f"with what is folded into it a sum can reach {reach}, over int32"
    return ""
