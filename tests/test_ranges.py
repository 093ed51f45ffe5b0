# SPDX-License-Identifier: Apache-2.0
"""Ways to choose ranges: small cases by hand, what must hold for all, and what comes of it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from microai.errors import UnsupportedError
from microai.fixedpoint import dequantize
from microai.fixedpoint import quantize as to_ints
from microai.interpret import BATCH
from microai.ops import Relu
from microai.quantize.observe import observe
from microai.quantize.ptq import weight
from microai.quantize.scheme import RANGES, SCHEMES, Scheme, named
from microai.quantize.storage import activation, limits_of
from microai.quantize.summary import BINS
from microai.types import QTensor, Quant
from tests.graphs import Sketch, samples
from tests.test_mixed import chain

FINITE = st.floats(-50, 50, width=32)
STORED = [name for name in SCHEMES if name != "f32"]


def observed(values: np.ndarray, scheme: Scheme) -> dict[str, tuple[float, float]]:
    """The ranges of an input x (N, C) and of y, a ReLU behind it."""
    s = Sketch()
    graph = s.graph(s.op("y", Relu(), s.input("x", 1, values.shape[1])))
    return observe(graph, {"x": values.astype(np.float32)}, scheme)


def error(values: np.ndarray, quant: Quant | None, scheme: Scheme, *, weights: bool) -> float:
    """The sum of squares that storage costs."""
    assert quant
    low, high = limits_of(quant.dtype, scheme)
    ints = np.clip(to_ints(values, quant), -high if weights else low, high)
    return float(((dequantize(QTensor(ints, quant)) - values) ** 2).sum())


def test_minmax_is_all_of_it() -> None:
    """Over batches."""
    values = np.zeros((3 * BATCH, 2))
    values[0, 0], values[-1, 1] = -3, 5
    assert observed(values, SCHEMES["int8"]) == {"x": (-3, 5), "y": (0, 5)}


def test_moving_average_of_two_batches() -> None:
    """0.9 of the first batch's ends, 0.1 of the second's."""
    values = np.zeros((BATCH + 7, 2))
    values[0] = -1, 3
    values[BATCH] = -2, 10
    found = observed(values, named("int8", ranges="moving"))
    assert found["x"] == pytest.approx((0.9 * -1 + 0.1 * -2, 0.9 * 3 + 0.1 * 10))
    assert found["y"] == pytest.approx((0, 3.7))


def test_percentile_cuts_one_of_20000_at_each_end() -> None:
    """Of 100,000 values, five; one outlier is then nothing, and 0 stays behind a ReLU."""
    values = np.random.default_rng(0).permutation(np.linspace(-1, 1, 100_000))
    values[70_000] = 500
    ordered = np.sort(values.astype(np.float32))
    found = observed(values.reshape(1000, 100), named("int8", ranges="percentile"))
    assert found == {"x": (ordered[5], ordered[-6]), "y": (0, ordered[-6])}
    assert found["x"][1] < 1


def test_percentile_of_few_values() -> None:
    """Below 20,000 none is cut; nor are the only ones that are not zero."""
    values = np.linspace(-1, 1, 19_998).reshape(-1, 2)
    scheme = named("int8", ranges="percentile")
    assert observed(values, scheme)["x"] == (-1, 1)
    spike = np.zeros((20_000, 2))
    spike[500, 0] = 7
    assert observed(spike, scheme) == {"x": (0, 7), "y": (0, 7)}


@pytest.mark.parametrize("zeros", [1, 100_000])
@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_mse_takes_a_finer_format(zeros: int, rounding: str) -> None:
    """1.0 fits Q2.6, which errs by 1/128 at 1/128; Q1.7 errs by 1/128 at 1.0, Q0.8 by 129/256.

    One 1/128 is as bad as one 1.0: the wider format stays. Three are worse. Zeros cost nothing.
    """
    scheme = named("qmn8", rounding, "mse")
    for count, n in ((1, 6), (3, 7)):
        values = np.concatenate([np.zeros(zeros), [1.0], np.full(count, 1 / 128)]).reshape(1, -1)
        for limits in observed(values, scheme).values():
            assert activation(*limits, scheme).scale == (2.0**-n,)


def test_mse_of_both_ends() -> None:
    """A lone outlier above costs only the end above."""
    values = np.append(np.linspace(-1, 1, 1_000_001), [4.0]).reshape(1, -1)
    low, high = observed(values, named("int8", ranges="mse"))["x"]
    assert low == pytest.approx(-1, abs=0.05)
    assert high < 1.5
    assert observed(values, named("int16x8", ranges="mse"))["x"] == (-1, 4)


def test_mse_of_weights() -> None:
    """As above, for each channel and for both together: six errors of 1/128, or two."""
    small = 1 / 128
    w = np.array([[1.0, small, small, small], [1.0, small, 0.0, 0.0]])
    for per_channel, n in ((True, (7, 6)), (False, (7,))):
        scheme = named("qmn8", ranges="mse", per_channel=per_channel)
        assert weight(w, 0, scheme).scale == tuple(2.0**-each for each in n)
        minmax = replace(scheme, ranges="minmax")
        assert weight(w, 0, minmax).scale == (2.0**-6,) * len(n)


def test_int4_weights_with_an_outlier() -> None:
    """The channel that has one loses it and wins; the other keeps its ends."""
    w = np.random.default_rng(0).normal(size=(2, 2000))
    w[0, 0] = 12
    w[1] = np.linspace(-7, 7, 2000).round()
    minmax, mse = (weight(w, 0, named("int8x4", ranges=r)) for r in ("minmax", "mse"))
    assert minmax.scale == (12 / 7, 1)
    assert mse.scale[1] == 1
    scheme = SCHEMES["int8x4"]
    before, after = (error(w, quant, scheme, weights=True) for quant in (minmax, mse))
    assert after < 0.5 * before


@pytest.mark.parametrize("ranges", [r for r in RANGES if r != "mse"])
def test_other_methods_leave_weights_alone(ranges: str) -> None:
    """Min-max, whatever activations do."""
    w = np.random.default_rng(0).normal(size=(3, 40)) ** 3
    assert weight(w, 1, named("int8x4", ranges=ranges)) == weight(w, 1, SCHEMES["int8x4"])


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("scheme", STORED)
def test_odd_tensors(ranges: str, scheme: str) -> None:
    """Zeros, constants, only negative values, a hair's breadth, none at all: still a storage."""
    how = named(scheme, ranges=ranges)
    lowest = np.finfo(np.float32).smallest_subnormal
    odd = [np.zeros((3, 2)), np.full((3, 2), -2.5), np.full((3, 2), 2.5), np.zeros((3, 0)),
           -np.arange(1, 7).reshape(3, 2), np.full((3, 2), lowest) * [0, 1]]  # fmt: skip
    for values in odd:
        for name, (low, high) in observed(values, how).items():
            least = 0 if name == "y" else values.min(initial=0)
            assert least <= low <= high <= values.max(initial=0)
            assert activation(low, high, how)
        if values.size:
            assert weight(values.astype(np.float64), 0, how)


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_diverges_is_refused(ranges: str, wrong: float) -> None:
    """Also where a later batch is as it should be."""
    values = np.zeros((2 * BATCH, 2))
    values[1, 1] = wrong
    limits = tuple(float(v) for v in (values.min(), values.max()))
    sentence = f"x reaches {limits} on the calibration data: it diverges"
    with pytest.raises(UnsupportedError, match=f"^{re.escape(sentence)}$"):
        observed(values, named("int8", ranges=ranges))


@pytest.mark.parametrize("scheme", STORED)
@pytest.mark.parametrize("rounding", ["nearest", "floor"])
@settings(max_examples=25, deadline=None)
@given(w=arrays(np.float64, (3, 8), elements=FINITE), per_channel=st.booleans())
def test_mse_of_weights_is_never_worse(
    scheme: str, rounding: str, w: np.ndarray, per_channel: bool
) -> None:
    """Than all of them."""
    minmax = named(scheme, rounding, per_channel=per_channel)
    mse = replace(minmax, ranges="mse")
    before, after = (error(w, weight(w, 0, how), how, weights=True) for how in (minmax, mse))
    assert after <= before * (1 + 1e-12)


@pytest.mark.parametrize("scheme", STORED)
@settings(max_examples=50, deadline=None)
@given(values=arrays(np.float32, (5, 8), elements=FINITE))
def test_mse_of_activations_is_never_worse(scheme: str, values: np.ndarray) -> None:
    """Beyond the width of a part: the distance to the nearest step changes by that at most."""
    minmax = SCHEMES[scheme]
    found = [observed(values, replace(minmax, ranges=how))["x"] for how in ("minmax", "mse")]
    before, after = (
        error(values.astype(np.float64), activation(*limits, minmax), minmax, weights=False) ** 0.5
        for limits in found
    )
    part = float(values.max() - values.min()) / BINS
    assert after <= before * (1 + 1e-9) + 2 * part * values.size**0.5


def test_each_layer_by_its_own_method() -> None:
    """And those that share a scheme's floats by none."""
    graph, reals = chain(), samples(chain(), 500)
    schemes = dict.fromkeys([n.name for n in (*graph.inputs, *graph.steps)], SCHEMES["int8"])
    plain = observe(graph, reals, SCHEMES["int8"])
    assert observe(graph, reals, schemes) == plain
    schemes["first"] = named("int8", ranges="percentile")
    schemes["second"] = named("f32", ranges="mse")
    schemes["sum"] = named("qmn16-net", ranges="mse")
    found = observe(graph, reals, schemes)
    assert {name for name in plain if plain[name] != found[name]} == {"first"}
