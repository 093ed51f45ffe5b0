# SPDX-License-Identifier: Apache-2.0
"""Channels that never change join biases, channels that nobody needs go, nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microai.bounds import INT32_MAX, accumulator
from microai.fixedpoint import saturate
from microai.graph import Graph, apply
from microai.interpret import interpret
from microai.ops import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Dense,
    Reshape,
    Slice,
)
from microai.passes import drop_dead_channels, fold_constant_channels
from microai.passes._intervals import intervals
from microai.passes.remove_channels import remove_channels
from microai.save import to_bytes
from microai.types import Quant
from tests.graphs import GRAPHS, imported, quantized, samples
from tests.integers import STEPS, IntSketch, assert_same, kept, network, ran

BOTH = (fold_constant_channels, drop_dead_channels)
networks = st.builds(
    network, st.integers(0, 10**6), st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=6)
)
HALF = Quant("int8", (1 / 64,))


@settings(deadline=None, max_examples=150)
@given(networks)
def test_outputs_stay_bit_for_bit(graph: Graph) -> None:
    """Whatever was stored; a second time changes no byte."""
    folded = apply(graph, (fold_constant_channels,))
    expected, found = ran(graph), ran(folded)
    for node in graph.steps:
        np.testing.assert_array_equal(found[node.name], expected[node.name])
    after = apply(folded, (drop_dead_channels,))
    assert_same(graph, after)
    assert to_bytes(apply(after, BOTH)) == to_bytes(after)


@settings(deadline=None, max_examples=100)
@given(networks)
def test_intervals_hold_every_value(graph: Graph) -> None:
    """No run leaves them."""
    known = intervals(graph)
    for name, array in ran(graph).items():
        rows = array.reshape(-1, array.shape[-1])
        assert (known[name].low <= rows.min(axis=0)).all(), name
        assert (rows.max(axis=0) <= known[name].high).all(), name


@pytest.mark.parametrize("name", GRAPHS)
def test_intervals_of_every_op(name: str) -> None:
    """int16 too, and what is only conservative."""
    for graph in (imported(name, "int16x8"), quantized(name)):
        known = intervals(graph)
        for tensor, array in ran(graph).items():
            low, high = known[tensor]
            assert np.array_equal(saturate(array, low, high), array), tensor


def layers(*, pads: int, zero: int, bias: tuple[int, ...], readers: int = 4) -> Graph:
    """Eight filters, of which those with a `bias` are zeros, and a convolution that reads them."""
    s = IntSketch(1, 1, 4, 4, 3)
    w = s.random.integers(-127, 128, (8, 1, 1, 3))
    b = s.random.integers(-500, 500, 8)
    w[: len(bias)], b[: len(bias)] = 0, bias
    scale = (0.01,) * 8
    first = s.linear(Conv(), "x", w, b, Quant("int8", (0.02,), zero), scale)
    v = s.random.integers(-127, 128, (readers, 3, 3, 8))
    op = Conv(pads=(pads,) * 4)
    return s.graph(
        s.linear(op, first, v, s.random.integers(-500, 500, readers), HALF, scale[:readers])
    )


def test_constant_channels_go() -> None:
    """Four of eight filters are zeros, with different biases: their readers need none of them."""
    graph = layers(pads=0, zero=5, bias=(0, 3000, -7000, 1 << 30))
    after = apply(graph, BOTH)
    assert kept(after) == [4, 4]
    assert_same(graph, after)


def test_beside_the_image_a_constant_is_zero() -> None:
    """With padding only what is the real 0 may go: the others end where the image ends."""
    graph = layers(pads=1, zero=5, bias=(0, 0, 0, 0, 3000, 3000))
    after = apply(graph, BOTH)
    assert kept(after) == [4, 4]
    assert_same(graph, after)
    filters = np.abs(after.weights[after.steps[0].inputs[1]]).sum(axis=(1, 2, 3))
    assert list(filters > 0) == [False, False, True, True]


def test_a_bias_that_would_leave_int32_stays() -> None:
    """The filter that has no room keeps its weights, and so do the channels that it reads."""
    s = IntSketch(9, 1, 8)
    w, b = s.random.integers(-127, 128, (1024, 8)), np.full(1024, 1 << 20)
    w[:512], b[512:] = 0, 0  # half of them are 255 steps above zero, always
    first = s.linear(Dense(), "x", w, b, Quant("int8", (0.02,), -128), (0.01,) * 1024)
    v, full = np.full((2, 1024), 127), np.array([0, INT32_MAX - 5])
    out = Quant("int8", (1.0,), -128)
    graph = s.graph(s.linear(Dense(), first, v, full, out, (1e-4, 4e-6)))
    assert not intervals(graph)[graph.outputs[0]].constant.any()
    after = apply(graph, BOTH)
    weight, bias = (after.weights[name] for name in after.steps[1].inputs[1:])
    assert list(bias) == [512 * 127 * 255, full[1]]
    assert list(np.count_nonzero(weight, axis=1)) == [512, 1024]
    assert_same(graph, after)


def test_the_channel_that_sets_the_shift_stays() -> None:
    """One shift serves all channels: a dead one with a huge scale costs the others precision,
    but without it they would be other integers.
    """
    s = IntSketch(2, 1, 4, 4, 3)
    w, b = s.random.integers(-127, 128, (9, 1, 1, 3)), np.zeros(9, int)
    scale = (0.01,) * 5 + (0.003,) * 3 + (70.0,)
    first = s.linear(Conv(), "x", w, b, Quant("int8", (0.1,)), scale)
    v = s.random.integers(-127, 128, (4, 1, 1, 9))
    v[..., 4:] = 0
    graph = s.graph(s.linear(Conv(), first, v, np.zeros(4, int), HALF, (0.01,) * 4))
    after = apply(graph, BOTH)
    assert kept(after) == [8, 4]  # 4, the widest, and up to a multiple
    layer = after.steps[0]
    assert after[layer.inputs[1]].type.stored.scale[-1] == scale[-1]
    shifts = [accumulator(g, g.steps[0]).scaling.shift for g in (graph, after)]
    assert shifts[0] == shifts[1]
    assert_same(graph, after)


def test_filters_that_never_change_take_the_largest_scale() -> None:
    """A bias at its limit would leave kernels no room; its channel needs no fine steps."""
    s = IntSketch(3, 1, 3, 3, 4)
    w = s.random.integers(-127, 128, (4, 1, 1, 4))
    w[2] = 0
    conv = s.linear(Conv(), "x", w, np.array([5, 6, 1 << 30, 7]), HALF, (0.01, 0.02, 1e-9, 0.01))
    graph = s.graph(conv)
    after = apply(graph, BOTH)
    weight, bias = after.steps[0].inputs[1:]
    assert after[weight].type.stored.scale == (0.01, 0.02, 0.02, 0.01)
    assert abs(int(after.weights[bias][2])) < 1 << 20
    assert_same(graph, after)


def test_a_value_that_the_largest_scale_cannot_give() -> None:
    """Sums in steps of five: a filter of zeros keeps its own scale, and the smallest bias for its
    value; one whose sums all lie beyond int32 keeps its weights too.
    """
    s = IntSketch(10, 1, 8)
    above = s.linear(Dense(), "x", np.zeros((4, 8)), np.full(4, 900), HALF, (0.05,) * 4)
    w, b = s.random.integers(-9, 9, (3, 12)), np.array([0, 3, INT32_MAX])
    w[1], w[2, :4], w[2, 4:] = 0, 127, 0
    out = Quant("int8", (1.0,))
    x = s.op(Concat(1), above, "x", out=HALF)
    last = s.linear(Dense(), x, w, b, out, (320.0, 32.0, 320.0))
    graph = s.graph(last)
    assert list(intervals(graph)[last].constant) == [False, True, True]
    after = apply(graph, BOTH)
    weight, bias = after.steps[-1].inputs[1:]
    assert after[weight].type.stored.scale == (320.0, 32.0, 320.0)
    assert list(after.weights[bias][1:]) == list(b[1:])
    assert_same(graph, after)


def test_needs_come_before_rounding_up() -> None:
    """What a tie adds reads other channels: those are kept, and not the first four as well."""
    s = IntSketch(11, 1, 4, 4, 3)
    left, deep = (s.linear(Conv(), "x", s.random.integers(1, 90, (8, 1, 1, 3)), np.zeros(8), HALF,
                           (0.01,) * 8) for _ in range(2))  # fmt: skip
    turned = np.eye(8)[::-1].reshape(8, 1, 1, 8) * 90  # row c reads channel 7 - c
    right = s.linear(Conv(), deep, turned, np.zeros(8), HALF, (0.01,) * 8)
    outputs = []
    for name, read in ((s.op(Add(), left, right), [0, 1]), (left, [2, 3])):
        w = np.zeros((2, 1, 1, 8))
        w[..., read] = s.random.integers(1, 90, (2, 1, 1, 2))
        outputs.append(s.linear(Conv(), name, w, np.zeros(2), HALF, (0.01,) * 2))
    graph = s.graph(*outputs)
    after = apply(graph, BOTH)
    assert kept(after) == [4, 4, 4, 4, 2, 2]
    assert_same(graph, after)


def test_a_part_begins_elsewhere_when_channels_before_it_go() -> None:
    """The slice counts those that stay."""
    s = IntSketch(12, 1, 3, 3, 2)
    conv = s.linear(Conv(), "x", s.random.integers(1, 90, (12, 1, 1, 2)), np.zeros(12), HALF,
                    (0.01,) * 12)  # fmt: skip
    part = s.op(Slice(3, 5, 11), conv)
    w = s.random.integers(1, 90, (2, 1, 1, 6))
    w[..., [1, 4]] = 0
    graph = s.graph(s.linear(Conv(), part, w, np.zeros(2), HALF, (0.01,) * 2))
    after = apply(graph, BOTH)
    assert kept(after) == [4, 4, 2]
    assert after.steps[1].op == Slice(3, 0, 4)
    two = remove_channels(graph, {conv: np.arange(12) == 1, part: np.arange(6) > 2})
    assert two.steps[1].op == Slice(3, 1, 4)
    assert_same(graph, after)


def test_float_networks_lose_what_nothing_reads() -> None:
    """Zero columns are dead columns in any storage."""
    graph = GRAPHS["sparse"]()
    graph.weights["v"][..., 4:] = 0
    graph.weights["v"][..., :4] += 1
    after = apply(graph, (drop_dead_channels,))
    assert after["conv"].type.shape == (1, 5, 5, 4)
    inputs = samples(graph)
    found, expected = (interpret(g, inputs)["dense"] for g in (after, graph))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pools_pass_constants_on() -> None:
    """A global pool of a constant is a constant, border or not."""
    s = IntSketch(6, 1, 4, 4, 3)
    w = s.random.integers(-127, 128, (8, 1, 1, 3))
    w[:4] = 0
    conv = s.linear(Conv(), "x", w, np.full(8, 900), HALF, (0.01,) * 8)
    mean = s.op(AvgPool((2, 2), (2, 2), (1, 1, 1, 1), count_pads=False), conv)
    flat = s.op(Reshape((1, 72)), mean)
    graph = s.graph(s.drawn(Dense(), flat, 3, 72))
    after = apply(graph, BOTH)
    assert kept(after) == [4, 4, 36, 3]
    assert_same(graph, after)
