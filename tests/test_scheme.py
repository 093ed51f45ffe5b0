# SPDX-License-Identifier: Apache-2.0
"""Named schemes: the formats of the MicroAI paper, roundings, and a graph's own name."""

import numpy as np
import pytest

from microai.errors import UsageError
from microai.fixedpoint import quantize as to_ints
from microai.interpret import interpret
from microai.pipeline import quantize_graph
from microai.quantize.ptq import weight
from microai.quantize.scheme import SCHEMES, named, scheme_of
from microai.quantize.storage import activation
from microai.samples import stored
from microai.types import Quant
from tests.graphs import GRAPHS, samples


@pytest.mark.parametrize(
    ("largest", "n"), [(0.4, 8), (0.5, 7), (0.99, 7), (1.0, 6), (1.5, 6), (3.9, 5), (200.0, -1)]
)
def test_qmn_is_the_papers(largest: float, n: int) -> None:
    """m = 1 + floor(log2 max|x|), n = bits - m - 1."""
    assert activation(-largest, largest / 3, SCHEMES["qmn8"]) == Quant("int8", (2.0**-n,))
    assert activation(0.0, largest, SCHEMES["qmn16"]) == Quant("int16", (2.0 ** -(n + 8),))


def test_zeros_take_all_bits_behind_the_point() -> None:
    """n = bits - 1; beside other channels, their scale."""
    assert activation(0.0, 0.0, SCHEMES["qmn8"]).scale == (2.0**-7,)
    w = np.array([[0.0, 0.0], [1.5, -0.2]])
    assert weight(w, 0, named("qmn8", per_channel=True)).scale == (2.0**-6, 2.0**-6)
    assert weight(w, 0, SCHEMES["qmn8"]).scale == (2.0**-6,)


def test_one_format_for_the_whole_network() -> None:
    """Q7.9: 9 bits behind the point, whatever the range."""
    for limits in ((0.0, 0.001), (-60.0, 3.0)):
        assert activation(*limits, SCHEMES["qmn16-net"]) == Quant("int16", (2.0**-9,))
    graph = quantize_graph(
        GRAPHS["residual"](), SCHEMES["qmn16-net"], samples(GRAPHS["residual"]())
    )
    scales = {n.type.stored.scale for n in graph.nodes if n.type.dtype == "int16"}
    assert scales == {(2.0**-9,)}
    assert {n.type.stored.scale for n in graph.nodes if n.type.dtype == "int32"} == {(2.0**-18,)}


def test_the_lowest_weight_is_not_used() -> None:
    """-0.999 in Q1.7 would be -128: kernels may rely on |w| <= 127."""
    graph = GRAPHS["scaled_dense"]()
    weights = {**graph.weights, "w": np.full((4, 5), -0.999, np.float32)}
    weights["g"] = np.ones_like(weights["g"])
    graph = type(graph)(graph.nodes, graph.outputs, weights)
    stored_graph = quantize_graph(graph, SCHEMES["qmn8"], samples(graph))
    assert {int(w.min()) for n, w in stored_graph.weights.items() if w.dtype == np.int8} == {-127}


def test_floor_and_nearest() -> None:
    """Of numbers and of everything a network computes."""
    quant = named("qmn8", "floor")
    storage = activation(-0.9, 0.9, quant)
    assert to_ints(np.array([0.999, -0.001, 0.0]) / 128, storage).tolist() == [0, -1, 0]
    graph = GRAPHS["residual"]()
    reals = samples(graph)
    means = []
    for rounding in ("floor", "nearest"):
        integers = quantize_graph(graph, named("qmn8", rounding), reals)
        assert {n.type.stored.rounding for n in integers.nodes} == {rounding}
        means.append(interpret(integers, stored(integers, reals))["add"].mean())
    assert means[0] < means[1]


@pytest.mark.parametrize("name", [n for n in SCHEMES if n != "f32"])
def test_a_graph_knows_its_scheme(name: str) -> None:
    """As reports print it, from its types alone."""
    graph = GRAPHS["residual"]()
    assert scheme_of(graph) == "f32"
    told = name.replace("qmn6", "qmn8")  # which it is stored as
    assert scheme_of(quantize_graph(graph, SCHEMES[name], samples(graph))) == told
    floored = quantize_graph(graph, named(name, "floor"), samples(graph))
    assert scheme_of(floored) == f"{told} floor"


def test_unknown_names() -> None:
    """With those there are."""
    with pytest.raises(UsageError, match="--scheme is 'int4', expected one of f32, int8"):
        named("int4")
    with pytest.raises(UsageError, match="--rounding is 'up', expected nearest or floor"):
        named("int8", "up")
    expected = "--ranges is 'max', expected one of minmax, percentile, mse, moving"
    with pytest.raises(UsageError, match=expected):
        named("int8", "floor", "max")


def test_what_a_fixed_format_cannot_hold_is_told() -> None:
    """Weights and activations beyond Q7.9; nothing where formats follow the ranges."""
    graph = GRAPHS["scaled_dense"]()
    graph = type(graph)(
        graph.nodes, graph.outputs, {**graph.weights, "w": graph.weights["w"] * 900}
    )
    told: list[str] = []
    quantize_graph(graph, SCHEMES["qmn16-net"], samples(graph), tell=told.append)
    assert any("bn.folded.weight:" in line and "values saturate" in line for line in told)
    assert any(line.startswith("relu reaches") and "ends at -64" in line for line in told)
    for name in ("int8", "int16x8", "qmn8", "qmn16"):
        told.clear()
        quantize_graph(graph, SCHEMES[name], samples(graph), tell=told.append)
        assert told == [], name
