# SPDX-License-Identifier: Apache-2.0
"""What single passes do and what they leave; what all promise is in test_pass_contract."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microai.graph import Graph, apply
from microai.interpret import interpret
from microai.op import Const
from microai.ops import (
    Activation,
    Add,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Lookup,
    MaxPool,
    Pad,
    Quantize,
    Relu,
    Slice,
)
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.passes.drop_idle_quantize import drop_idle_quantize
from microai.passes.fuse_relu import fuse_relu
from microai.passes.fuse_tables import fuse_tables
from microai.passes.merge_equals import merge_equals
from microai.passes.merge_pads import merge_pads
from microai.passes.pool_before_relu import pool_before_relu
from microai.passes.rectify_before_pool import rectify_before_pool
from microai.pipeline import compile_graph
from microai.save import to_bytes
from microai.types import Quant
from tests.graphs import GRAPHS, Sketch, imported
from tests.integers import STEPS, IntSketch, network, stored_inputs

X = Quant("int8", (0.02,), -7)


def ops(graph: Graph) -> list[str]:
    return [str(node.op) for node in graph.steps]


def assert_same(before: Graph, after: Graph) -> None:
    """Equal outputs, bit for bit."""
    inputs = stored_inputs(before)
    expected, found = interpret(before, inputs), interpret(after, inputs)
    for name in before.outputs:
        np.testing.assert_array_equal(found[name], expected[name])


@settings(deadline=None, max_examples=100)
@given(
    st.builds(network, st.integers(0, 10**6), st.lists(st.sampled_from(sorted(STEPS)), max_size=7))
)
def test_all_integer_passes_together(graph: Graph) -> None:
    """Whatever a tool stored: the same outputs; a second time changes no byte."""
    after = apply(graph, INT_PASSES)
    assert_same(graph, after)
    assert to_bytes(apply(after, INT_PASSES)) == to_bytes(after)


limits = st.one_of(st.none(), st.floats(-3, 3))
clamps = st.tuples(limits, limits).filter(lambda c: None in c or c[0] <= c[1])


@settings(deadline=None, max_examples=200)
@given(clamps, clamps, st.sampled_from([-128, -7, 40, 127]))
def test_clamps_intersect(first, then, zero: int) -> None:
    """A layer's own clamp and the Relu's behind it, apart or not, beyond the storage or not."""
    s = IntSketch(1, 1, 9)
    x, out = s.type("x").stored, Quant("int8", (0.01,), zero)
    scale = (0.02 / x.scale[0] / 90,) * 9
    dense = s.linear(Dense(first), "x", np.eye(9) * 90, np.zeros(9), out, scale)
    graph = s.graph(s.op(Relu(then[1], then[0]), dense))
    after = apply(graph, (fuse_relu,))
    assert ops(after) == ["Dense"]
    assert_same(graph, after)


def test_rectifiers_in_a_row_are_one() -> None:
    """Where no layer takes them over."""
    graph = GRAPHS["chains"]()
    assert ops(apply(graph, (fuse_relu,))).count("Relu") == 1


def pooled(*, layer: bool) -> Graph:
    """A rectifier between a layer, or a slice, and two pools."""
    s = Sketch(1)
    x = s.input("x", 1, 6, 6, 4)
    first = s.op("conv", Conv(), x, s.const("w", 4, 1, 1, 4), s.const("b", 4)) if layer else (
        s.op("part", Slice(1, 0, 5), x)
    )  # fmt: skip
    relu = s.op("again", Relu(), s.op("relu", Relu(2.0, -1.0), first))
    return s.graph(s.op("last", MaxPool((2, 2)), s.op("pool", MaxPool((2, 2)), relu)))


def test_pool_before_relu_goes_all_the_way() -> None:
    """Over all pools, with all rectifiers."""
    after = apply(pooled(layer=False), (pool_before_relu,))
    assert ops(after) == ["Slice", "MaxPool", "MaxPool", "Relu", "Relu"]


def test_pool_and_rectifier_do_not_change_places_forever() -> None:
    """What one pass moves the other leaves; a layer takes the rectifier over."""
    for layer in (True, False):
        graph = apply(pooled(layer=layer), (rectify_before_pool, pool_before_relu))
        for run in (rectify_before_pool, pool_before_relu):
            assert str(apply(graph, (run,))) == str(graph)
    assert ops(apply(pooled(layer=True), FLOAT_PASSES)) == ["Conv", "MaxPool", "MaxPool"]


def test_a_rectifier_that_others_read_stays() -> None:
    """Its value is needed in front of the pool; and a layer's own is left to the layer."""
    s = Sketch(2)
    relu = s.op("relu", Relu(), s.op("part", Slice(1, 0, 5), s.input("x", 1, 6, 6, 4)))
    graph = s.graph(s.op("pool", MaxPool((2, 2)), relu), relu)
    assert ops(apply(graph, (pool_before_relu,))) == ["Slice", "Relu", "MaxPool"]
    s = Sketch(3)
    conv = s.op("conv", Conv(), s.input("x", 1, 6, 6, 4), s.const("w", 4, 1, 1, 4), s.const("b", 4))
    graph = s.graph(s.op("pool", MaxPool((2, 2)), s.op("relu", Relu(), conv)))
    assert ops(apply(graph, (pool_before_relu,))) == ["Conv", "Relu", "MaxPool"]


def test_idle_quantize_only() -> None:
    """One that changes scale, zero point or rounding stays."""
    s = IntSketch(2, 1, 9)
    x = s.type("x").stored
    others = (x, replace(x, scale=(x.scale[0] * 1.5,)), replace(x, rounding="floor"))
    names = [s.op(Relu(0.5), s.op(Quantize(), "x", out=out)) for out in others]
    output = s.op(Quantize(), "x", out=x)
    after = apply(s.graph(*names, output), (drop_idle_quantize,))
    assert ops(after).count("Quantize") == 3


@pytest.mark.parametrize(
    ("pad", "merged"),
    [
        (Pad((1, 2, 0, 1, 0, 0)), True),
        (Pad((1, 2, 0, 1, 0, 0), 1e-4), True),  # as stored it is the real 0
        (Pad((1, 2, 0, 1, 0, 0), 0.3), False),
        (Pad((1, 2, 0, 1, 0, 1)), False),
    ],
)
def test_only_zeros_beside_the_image_are_padding(pad: Pad, merged: bool) -> None:
    """The window pads with the real 0, whatever integer that is."""
    s = IntSketch(3, 1, 3, 4, 2)
    padded = s.op(pad, "x")
    channels = s.type(padded).shape[-1]
    graph = s.graph(s.drawn(Conv(pads=(0, 1, 1, 0)), padded, 3, 2, 2, channels))
    after = apply(graph, (merge_pads,))
    assert (ops(after) == ["Conv"]) is merged
    assert_same(graph, after)


def test_pads_in_a_row_merge_and_shared_ones_stay() -> None:
    """All readers or none: otherwise the padded image is needed anyway."""
    s = IntSketch(4, 1, 3, 4, 2)
    margin = s.op(Pad((1, 0, 0, 1, 0, 0)), s.op(Pad((0, 1, 2, 0, 0, 0)), "x"))
    dw = s.drawn(DepthwiseConv(), margin, 2, 2, 2)
    alone = s.graph(dw)
    after = apply(alone, (merge_pads,))
    assert [node.op.pads for node in after.steps] == [(1, 1, 2, 1)]
    assert_same(alone, after)
    shared = s.graph(dw, s.op(Relu(), margin))
    assert str(apply(shared, (merge_pads,))) == str(apply(shared, ()))


def test_pads_that_are_more_than_a_margin_stay() -> None:
    """An output of the graph, and what is the weights of a convolution."""
    s = IntSketch(10, 1, 3, 4, 2)
    margin = s.op(Pad((1, 0, 0, 1, 0, 0)), "x")
    graph = s.graph(s.drawn(DepthwiseConv(), margin, 2, 2, 2), margin)
    assert str(apply(graph, (merge_pads,))) == str(graph)
    t = Sketch(4)
    w = t.op("w", Pad((0, 1, 1, 0, 0, 0)), t.input("u", 1, 2, 2, 3))
    x = t.input("x", 1, 5, 5, 3)
    computed = t.graph(t.op("conv", Conv(), x, w, t.const("b", 1)))
    assert str(apply(computed, (merge_pads,))) == str(computed)


def test_what_the_caller_fills_and_what_lasts_is_no_copy() -> None:
    """Two inputs of one type, and two tensors that keep their values."""
    s = Sketch(5)
    a, b = s.input("a", 1, 4), s.input("b", 1, 4)
    graph = s.graph(*(s.op(f"sum{i}", Add(), a, b) for i in range(2)))
    assert str(apply(graph, (merge_equals,))) == str(graph)
    kept = [s.op(f"kept{i}", Relu(), a) for i in range(2)]
    graph = s.graph(s.op("both", Add(), *kept))
    nodes = tuple(replace(n, place="state") if n.name in kept else n for n in graph.nodes)
    assert ops(apply(replace(graph, nodes=nodes), (merge_equals,))).count("Relu") == 2


def test_equal_constants_become_one() -> None:
    """With their readers; an equal array of another scale does not."""
    s = IntSketch(5, 1, 4)
    w, b = s.random.integers(-127, 128, (4, 4)), np.zeros(4, int)
    stored = ((w, 0.01), (w, 0.01), (w, 0.02), (w + 1, 0.02))
    layers = [s.linear(Dense(), "x", each, b, X, (scale,) * 4) for each, scale in stored]
    graph = s.graph(s.op(Concat(1), *layers))
    after = apply(graph, (merge_equals,))
    assert ops(after) == ["Dense", "Dense", "Dense", "Concat"]
    assert sum(isinstance(node.op, Const) for node in after.nodes) == 5
    assert_same(graph, after)


def test_outputs_keep_their_names() -> None:
    """Of three equal nodes two are outputs: both stay, and the third reads the first of them."""
    s = IntSketch(6, 1, 4)
    one, two, three = (s.op(Relu(0.5), "x") for _ in range(3))
    graph = s.graph(two, three, s.op(Add(), one, three))
    after = apply(graph, (merge_equals,))
    assert after.outputs == graph.outputs
    assert [node.name for node in after.steps][:2] == [two, three]
    assert_same(graph, after)


def test_merged_weights_compile() -> None:
    """Two layers of one bias, of which one has a column to fold: each gets what is its own."""
    s = IntSketch(7, 1, 8)
    w, b = s.random.integers(-127, 128, (8, 8)), np.array([500, 0, 0, 0, 0, 7, 9, 11])
    w[0] = 0
    first = s.linear(Dense(), "x", w, b, s.type("x").stored, (0.01,) * 8)
    graph = s.graph(s.linear(Dense(), first, w, b, s.type("x").stored, (0.01,) * 8))
    after = apply(graph, INT_PASSES)
    assert_same(graph, after)
    assert to_bytes(apply(after, INT_PASSES)) == to_bytes(after)
    assert compile_graph(graph).graph.outputs == graph.outputs


def test_tables_stop_where_others_read() -> None:
    """Three functions, the first of which is an output too."""
    s = IntSketch(8, 1, 9)
    first = s.op(Activation("tanh"), "x")
    graph = s.graph(first, s.op(Relu(0.4), s.op(Quantize(), first)))
    after = apply(graph, (fuse_tables,))
    assert ops(after) == ["Tanh", "Lookup"]
    assert_same(graph, after)


def test_tables_are_of_int8() -> None:
    """A table of int16 would be 64 KiB."""
    graph = imported("tables", "int16x8")
    assert "Lookup" not in ops(apply(graph, (fuse_tables,)))


def test_lookup_of_another_size_is_refused() -> None:
    """256 entries, no more and no less."""
    s = IntSketch(9, 1, 9)
    with pytest.raises(Exception, match="Lookup: 3 entries from int8 to int8, expected 256"):
        s.op(Lookup((1, 2, 3), s.type("x").stored, X), "x")
