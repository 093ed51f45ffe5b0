# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization where it is easy to get wrong, and the proofs behind it."""

from dataclasses import replace

import numpy as np
import pytest

from microai import bounds
from microai.errors import UnsupportedError
from microai.fixedpoint import dequantize, rescale
from microai.graph import Graph
from microai.interpret import interpret
from microai.ops import AvgPool, Dense, Relu, Softmax
from microai.ops.softmax import PROBABILITY
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.ptq import weight
from microai.quantize.scheme import SCHEMES
from microai.quantize.storage import affine
from microai.samples import stored
from microai.types import QTensor, Quant, TensorType
from tests.graphs import GRAPHS, Sketch, quantized, samples
from tests.stored import layer


def dense(w: np.ndarray, b: np.ndarray) -> Graph:
    s = Sketch()
    x = s.input("x", 1, w.shape[1])
    graph = s.graph(s.op("y", Dense(), x, s.const("w", *w.shape), s.const("b", *b.shape)))
    graph.weights["w"][:], graph.weights["b"][:] = w, b
    return graph


def error_in_steps(graph: Graph, name: str) -> float:
    """The largest distance between the float and the integer network's output."""
    inputs = samples(graph)
    integers = quantize_graph(graph, SCHEMES["int8"], inputs)
    found = interpret(compile_graph(integers).graph, stored(integers, inputs))[name]
    quant = integers[name].type.stored
    reals = dequantize(QTensor(found.astype(np.int64), quant))
    return float(np.abs(reals - interpret(graph, inputs)[name]).max() / quant.scale[0])


@pytest.mark.parametrize("name", GRAPHS)
def test_integers_follow_floats(name: str) -> None:
    """A handful of layers stays within a few steps on the samples it was calibrated on."""
    graph = GRAPHS[name]()
    assert max(error_in_steps(graph, output) for output in graph.outputs) < 8


def test_dead_channel_costs_the_others_nothing() -> None:
    """Its zeros take the largest scale; its bias is kept."""
    w = np.vstack([np.ones(6), np.zeros(6), -np.ones(6)])
    assert error_in_steps(dense(w, np.array([0.1, 2.0, 0.3])), "y") < 3


def test_tiny_weights_under_a_large_bias() -> None:
    """The weight scale widens so that the bias fits int32."""
    w = np.vstack([np.ones(6), np.full(6, 1e-12)])
    assert error_in_steps(dense(w, np.array([0.0, 50.0])), "y") < 3


def test_all_zero_network() -> None:
    """Nothing divides by the range."""
    assert error_in_steps(dense(np.zeros((3, 6)), np.zeros(3)), "y") == 0


def test_shared_bias_gets_a_copy_for_each_use() -> None:
    """The two layers have different input scales; the weight stays shared."""
    graph = quantized("shared")
    assert graph["first"].inputs[1] == graph["second"].inputs[1] == "w"
    assert graph["first"].inputs[2] != graph["second"].inputs[2]


def test_relu_keeps_its_inputs_storage() -> None:
    """Integer ReLU is a clamp."""
    graph = quantized("shared")
    assert isinstance(graph["out"].op, Relu)
    assert graph["out"].type.quant == graph["second"].type.quant


def test_affine_ranges_hold_zero() -> None:
    """Ranges on one side of zero are extended to it."""
    assert affine(2.0, 6.0, "int8").zero == -128
    assert affine(-6.0, -2.0, "int8").zero == 127
    assert affine(0.0, 0.0, "int8").scale == (1.0,)


def test_symmetric_weights_leave_out_the_lowest() -> None:
    """-127..127 for each channel."""
    w = np.array([[1.0, -2.0], [0.0, 0.5]])
    quant = weight(w, 0, SCHEMES["int8"])
    assert quant.scale == (2 / 127, 0.5 / 127)
    assert quant.zero == 0


def test_the_bound_counts_the_zero_point() -> None:
    """Inputs from 0 up have zero -128: |x - zero| reaches 255, twice what |x| does."""
    graph = dense(np.ones((1, 90_000), np.float32), np.zeros(1))
    positive = {"x": np.abs(samples(graph, 2)["x"])}
    compiled = compile_graph(quantize_graph(graph, SCHEMES["int8"], positive))
    assert "mai_dense_simd_s8_wide(" in compiled.sources["model.c"]
    around = {"x": samples(graph, 2)["x"]}
    compiled = compile_graph(quantize_graph(graph, SCHEMES["int8"], around))
    assert "mai_dense_simd_s8(" in compiled.sources["model.c"]


def test_imprecise_rescales_are_refused() -> None:
    """A channel whose multiplier keeps no bits beside a far larger one."""
    w = np.vstack([np.full(600, 1e-7), np.full(600, 1e4)]).astype(np.float32)
    graph = dense(w, np.zeros(2))
    graph = quantize_graph(graph, SCHEMES["int8"], samples(graph, 4))
    tiny = graph["y"].type.stored
    nodes = tuple(
        replace(n, type=replace(n.type, quant=replace(tiny, scale=(tiny.scale[0] * 1e-11,))))
        if n.name == "y" else n for n in graph.nodes
    )  # fmt: skip
    assert compile_graph(graph)
    with pytest.raises(UnsupportedError, match=r"y: (a rescale|channel 0 would be rescaled)"):
        compile_graph(replace(graph, nodes=nodes))


def test_a_global_mean_over_many_pixels() -> None:
    """Only window sizes that occur set the shift: 9216 elements are averaged well."""
    s = Sketch()
    x = s.input("x", 1, 96, 96, 1)
    graph = s.graph(s.op("y", AvgPool((96, 96), (96, 96)), x))
    assert error_in_steps(graph, "y") < 1.6
    compiled = compile_graph(quantize_graph(graph, SCHEMES["int8"], samples(graph, 4)))
    assert "multipliers[1]" in compiled.sources["model.c"]


def test_softmax_sums_of_a_thousand_equal_classes_fit() -> None:
    """The table leaves room for their sum."""
    q = QTensor(np.zeros((1, 1000), np.int64), Quant("int8", (0.1,)))
    assert set(Softmax().run_int(q, PROBABILITY["int8"]).ravel()) == {-128}
    table = Softmax().c_params(
        TensorType((1, 1000), q.quant), TensorType((1, 1000), PROBABILITY["int8"])
    )
    assert 1000 * table["table"][0] < 2**31


def test_sums_beyond_what_is_exact_are_refused(monkeypatch) -> None:
    """With the channel and the bound; no network of a megabyte reaches 2**53."""
    monkeypatch.setattr(bounds, "LARGEST_SUM", 1 << 20)
    graph = dense(np.ones((2, 100), np.float32), np.zeros(2))
    with pytest.raises(UnsupportedError) as raised:
        compile_graph(quantize_graph(graph, SCHEMES["int8"], samples(graph, 2)))
    assert "y: channel 0 can reach" in str(raised.value)
    assert "over the 1048576 that sums may reach" in str(raised.value)


@pytest.mark.parametrize("low", [-(1 << 52), -(1 << 31) - 1, -(1 << 31), 1 << 31, 1 << 40])
@pytest.mark.parametrize("shift", [1, 31, 32, 33, 34, 62])
@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_wide_sums_are_rescaled_exactly(low: int, shift: int, rounding: str) -> None:
    """Against Python's own integers, ties included."""
    random = np.random.default_rng(shift)
    acc = low + random.integers(-(1 << 20), 1 << 20, 200)
    acc[:50] = acc[:50] >> 8 << 8
    multipliers = random.integers(1 << 30, 1 << 31, 200)
    multipliers[:50] = 1 << 30
    half = (1 << (shift - 1)) if rounding == "nearest" else 0
    exact = [(int(a) * int(m) + half) >> shift for a, m in zip(acc, multipliers, strict=True)]
    found = rescale(acc, multipliers, shift, rounding)
    inside = np.array([abs(e) < 1 << 62 for e in exact])  # what `prove_accumulators` leaves
    assert found[inside].tolist() == [e for e in exact if abs(e) < 1 << 62]
    assert inside.all() or (shift < 32 and abs(low) >= 1 << 31)


def test_rescaled_sums_beyond_int64_are_refused() -> None:
    """An output step far below the sum's."""
    x = TensorType((1, 1 << 17), Quant("int16", (1.0,)))
    w = np.full((1, 1 << 17), 32767, np.int16)
    graph = layer(Dense(), x, w, np.zeros(1), 2.0**-21)
    with pytest.raises(UnsupportedError, match=r"its sums can reach .* steps of the output"):
        compile_graph(graph)
    assert compile_graph(layer(Dense(), x, w, np.zeros(1), 2.0**20))
