# SPDX-License-Identifier: Apache-2.0
"""The scan: one layer in integers at a time."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from microai.graph import Graph, apply, verify
from microai.interpret import interpret
from microai.ops import Add, ArgMax, Conv, MaxPool, Pad, Relu
from microai.passes import FLOAT_PASSES
from microai.quantize.observe import observe
from microai.quantize.ptq import quantize
from microai.quantize.scheme import SCHEMES
from microai.sensitivity import Sensitivity, layers, ranges_of, reached, scan
from tests.broken import GUILTY, broken, labels_by
from tests.graphs import GRAPHS, Sketch, samples

NAMES = ("int8x4", "int8", "int16x8")


def scanned(graph: Graph, *names: str, labelled: bool = False) -> tuple[Sensitivity, ...]:
    graph = apply(graph, FLOAT_PASSES)
    reals = samples(graph, 80)
    labels = labels_by(graph, reals) if labelled else None
    schemes = {name: SCHEMES[name] for name in names}
    return scan(graph, ranges_of(graph, reals, schemes), schemes, reals, labels, lambda _: None)


def forked() -> Graph:
    """A margin in front, two branches, and a sum with steps behind it."""
    s = Sketch()
    margin = s.op("margin", Pad((1, 1, 0, 0)), s.input("x", 1, 4, 6))
    one = s.op("one", Conv(), margin, s.const("w", 6, 1, 6), s.const("b", 6))
    two = s.op("two", Conv(), s.op("relu", Relu(), one), s.const("v", 6, 1, 6), s.const("c", 6))
    small = s.op("small", MaxPool((1,), (1,)), two)
    return s.graph(s.op("most", Relu(1.0), s.op("sum", Add(), small, s.op("same", Relu(), one))))


def test_every_step_is_in_one_layer() -> None:
    """Weightless steps go with what alone feeds them; what two layers or an input feed is one."""
    assert layers(forked()) == (
        ("margin",), ("one", "relu", "same"), ("two", "small"), ("sum", "most"),
    )  # fmt: skip
    for make in GRAPHS.values():
        graph = make()
        names = [name for layer in layers(graph) for name in layer]
        assert sorted(names) == sorted(node.name for node in graph.steps)


@pytest.mark.parametrize("name", GRAPHS)
def test_what_integers_reach_is_a_network_of_its_own(name: str) -> None:
    """Fed with the floats around it, it gives what the whole one gives."""
    graph = apply(GRAPHS[name](), FLOAT_PASSES)
    reals = samples(graph)
    floats, ranges = interpret(graph, reals), observe(graph, reals)
    for layer in layers(graph):
        schemes = dict.fromkeys(layer, SCHEMES["int8"])
        whole = quantize(graph, SCHEMES["f32"], ranges, schemes)
        part = reached(whole)
        verify(part)
        expected = interpret(whole, reals)
        found = interpret(part, {node.name: floats[node.name] for node in part.inputs})
        assert any(node.type.quant for node in part.nodes)
        for node in part.steps:
            np.testing.assert_array_equal(found[node.name], expected[node.name])


def test_the_broken_layer_is_the_worst_one() -> None:
    """By 10 dB at least, and in accuracy too; its weights are counted as kernels store them."""
    rows = scanned(broken(), "int8", labelled=True)
    assert [row.layer for row in rows] == ["first", "second", "third", "last"]
    worst, next_worst = sorted(rows, key=lambda row: row.snr_db)[:2]
    assert worst.layer == GUILTY
    assert worst.snr_db < next_worst.snr_db - 10
    assert worst.accuracy == min(row.accuracy for row in rows if row.accuracy is not None)
    assert worst.accuracy < 1
    assert worst.weights_bytes == 6 * 3 * 6 + 6 * 4
    healthy = scanned(broken(0.4), "int8")
    assert healthy[1].snr_db > worst.snr_db + 20
    assert all(row.accuracy is None for row in healthy)


def test_more_bits_are_never_worse_here() -> None:
    """int4 weights, int8 weights, int16 activations: of every layer."""
    rows = scanned(broken(0.4), *NAMES)
    for layer in ("first", "second", "third", "last"):
        of_layer = [row for row in rows if row.layer == layer]
        assert tuple(row.scheme for row in of_layer) == NAMES
        assert of_layer[0].snr_db < of_layer[1].snr_db < of_layer[2].snr_db
        assert of_layer[0].weights_bytes < of_layer[1].weights_bytes == of_layer[2].weights_bytes


def test_errors_are_of_scores_not_of_indices() -> None:
    """A network that ends in an index is scanned by what it points into."""
    graph = broken()
    s = Sketch()
    s.nodes, s.weights = list(graph.nodes), dict(graph.weights)
    s.op("index", ArgMax(), "last")
    indexed = apply(s.graph("index"), FLOAT_PASSES)
    reals = samples(indexed, 80)
    labels, schemes = labels_by(indexed, reals), {"int8": SCHEMES["int8"]}
    ranges = ranges_of(indexed, reals, schemes)
    rows = scan(indexed, ranges, schemes, reals, labels, lambda _: None)
    assert rows == scanned(graph, "int8", labelled=True)


def test_an_output_that_a_layer_does_not_reach_is_as_it_was() -> None:
    """Two outputs: the error is of both together."""
    graph = replace(forked(), outputs=("most", "margin"))
    both, alone = scanned(graph, "int8")[-1], scanned(forked(), "int8")[-1]
    assert both.layer == alone.layer == "most"
    assert both.snr_db > alone.snr_db  # more signal, no more noise


def test_every_scheme_has_its_ranges() -> None:
    """An average of the batches is narrower than all of them."""
    graph = broken()
    reals = samples(graph, 80)
    cut = replace(SCHEMES["int8"], ranges="moving")
    schemes = {"int8": SCHEMES["int8"], "int16x8": SCHEMES["int16x8"], "cut": cut}
    ranges = ranges_of(graph, reals, schemes)
    assert ranges["int8"] == ranges["int16x8"] == observe(graph, reals)
    assert ranges["cut"]["third"][1] < ranges["int8"]["third"][1]
    first, _, other = scan(graph, ranges, schemes, reals, None, lambda _: None)[:3]
    assert first.snr_db != other.snr_db


def test_progress_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line now and then."""
    clock = SimpleNamespace(monotonic=count(0, 2).__next__)
    monkeypatch.setattr("microai.device.measure.time", clock)
    graph = broken()
    reals = samples(graph, 70)  # two batches
    lines: list[str] = []
    schemes = {"int8": SCHEMES["int8"]}
    scan(graph, ranges_of(graph, reals, schemes), schemes, reals, None, lines.append)
    assert lines == [
        "ran 1 of 8 trials of the scan, 28 s left",
        "ran 3 of 8 trials of the scan, 13 s left",
        "ran 5 of 8 trials of the scan, 7 s left",
        "ran 7 of 8 trials of the scan, 2 s left",
    ]
