# SPDX-License-Identifier: Apache-2.0
"""The arithmetic contract against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microai.errors import UnsupportedError
from microai.fixedpoint import (
    clamp_ints,
    divide,
    half_up,
    multiplier_shift,
    quantize,
    requantize,
    requantize_sum,
)
from microai.types import QTensor, Quant

OUT = Quant("int8", (1.0,), zero=3)
ratios = st.floats(1e-9, 1e4)


def exact_half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@given(acc=st.integers(-(2**31), 2**31 - 1), ratio=ratios)
def test_requantize_is_one_exact_rounding(acc: int, ratio: float) -> None:
    """Of the accumulator times multiplier / 2**shift, half up."""
    scaling = multiplier_shift([ratio])
    share = Fraction(scaling.multipliers[0], 2**scaling.shift)
    expected = min(max(exact_half_up(acc * share) + OUT.zero, -128), 127)
    assert requantize(np.array([acc]), scaling, OUT)[0] == expected


@given(ratio=ratios)
def test_multiplier_keeps_31_bits(ratio: float) -> None:
    """The only channel's multiplier is as long as it may be."""
    scaling = multiplier_shift([ratio])
    assert 2**30 <= scaling.multipliers[0] < 2**31
    assert abs(scaling.multipliers[0] / 2**scaling.shift / ratio - 1) < 2**-30


def test_multiplier_of_almost_a_power_of_two_stays_below_31_bits() -> None:
    """A mantissa that rounds up to 2**31 takes one bit less of shift."""
    scaling = multiplier_shift([1 - 2**-40])
    assert scaling == multiplier_shift([1.0])


def test_ties_go_up_at_both_signs() -> None:
    """-2.5 becomes -2, 2.5 becomes 3."""
    scaling = multiplier_shift([0.5])
    found = requantize(np.array([-5, -3, -1, 1, 3, 5]), scaling, Quant("int8", (1.0,)))
    assert found.tolist() == [-2, -1, 0, 1, 2, 3]


def test_scale_beyond_the_shift_is_refused() -> None:
    """No shift is left for a ratio over 2**30."""
    with pytest.raises(UnsupportedError, match="recalibrate"):
        multiplier_shift([2.0**31])


@given(st.floats(-1e6, 1e6, width=32))
def test_half_up_is_exact_in_float32(x: float) -> None:
    """Also just below one half, where adding 0.5 would round up."""
    assert int(half_up(np.float32(x))) == exact_half_up(Fraction(x))


def test_half_up_just_below_one_half() -> None:
    """floor(x + 0.5) gives 1 here."""
    assert half_up(np.nextafter(np.float32(0.5), np.float32(0))) == 0


@given(st.integers(0, 2**30), st.integers(1, 2**30))
def test_division_rounds_half_up(numerator: int, denominator: int) -> None:
    """As the softmax kernel divides."""
    found = divide(np.array(numerator), np.array(denominator), "nearest")
    assert int(found) == exact_half_up(Fraction(numerator, denominator))


@given(
    st.integers(-128, 127), st.integers(-128, 127),
    st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(1e-3, 10),
)  # fmt: skip
def test_sum_errs_below_a_hundredth_of_a_step(a: int, b: int, sa: float, sb: float, sy: float):
    """Before its one rounding."""
    qa, qb, out = Quant("int8", (sa,), -7), Quant("int8", (sb,), 11), Quant("int8", (sy,), 3)
    found = requantize_sum(QTensor(np.array([a]), qa), QTensor(np.array([b]), qb), out)[0]
    exact = ((a + 7) * sa + (b - 11) * sb) / sy + 3
    step = max(sa, sb) / sy
    if -128 < found < 127:
        assert abs(found - exact) <= 0.5 + 0.01 * max(step, 1)


@pytest.mark.parametrize("zero", [-128, -5, 0, 100, 127])
def test_real_zero_is_always_an_integer(zero: int) -> None:
    """Padding and ReLU rely on it."""
    quant = Quant("int8", (0.037,), zero)
    assert quantize(np.zeros(1), quant)[0] == zero
    assert clamp_ints((0.0, None), quant) == (zero, 127)


def test_nan_quantizes_to_the_lowest() -> None:
    """As the C kernel does, where a NaN compares false with everything."""
    values = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert quantize(values, Quant("int8", (1.0,))).tolist() == [-128, 127, -128]


def test_a_tensor_cannot_be_stored_without_meaning() -> None:
    """A Quant that says nothing is not made."""
    for bad in ({"scale": ()}, {"scale": (0.0,)}, {"scale": (math.nan,)}, {"zero": 128}):
        with pytest.raises(ValueError, match="expected"):
            Quant(**{"dtype": "int8", "scale": (1.0,), **bad})
    with pytest.raises(ValueError, match="int8"):
        Quant("int7", (1.0,))
