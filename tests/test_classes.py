# SPDX-License-Identifier: Apache-2.0
"""Labels meet scores, or the indices of a network that ends in an argmax."""

from pathlib import Path

import numpy as np
import pytest

from microai.errors import UnsupportedError, UsageError
from microai.graph import Graph, Node, verify
from microai.interpret import interpret_only
from microai.ops import Add, ArgMax, Dense, Reshape
from microai.pipeline import quantize_graph
from microai.quantize.scheme import SCHEMES, named, scheme_of
from microai.samples import labels_of, stored
from microai.verdict import accuracy
from tests.graphs import Sketch, samples

HERE = Path("data.npz")


def classifier(*, indices: bool) -> Graph:
    s = Sketch(7)
    x = s.input("x", 1, 6)
    y = s.op("dense", Dense(), x, s.const("w", 5, 6), s.const("b", 5))
    if indices:
        y = s.op("flat", Reshape((1,)), s.op("largest", ArgMax(), y))
    return s.graph(y)


@pytest.mark.parametrize("scheme", ["f32", "int8", "qmn16"])
def test_indices_and_scores_are_equally_right(scheme: str) -> None:
    """Of the float network and of the deployed one."""
    figures = []
    for indices in (False, True):
        graph = classifier(indices=indices)
        inputs = samples(graph, 64)
        labels = np.arange(64) % 5
        deployed = quantize_graph(graph, SCHEMES[scheme], inputs)
        output = graph.outputs[0]
        found = interpret_only(deployed, stored(deployed, inputs), [output])[output]
        figures.append(accuracy(graph, inputs, found, labels))
    assert figures[0] == figures[1]
    assert 0 < figures[0].float < 1


def test_labels_are_the_channels_of_an_argmax() -> None:
    """Not limited by its single output; but by what it chooses from."""
    graph = classifier(indices=True)
    x = np.zeros((5, 6), np.float32)
    np.testing.assert_array_equal(labels_of(graph, {"X": x, "y": np.arange(5)}, HERE), np.arange(5))
    with pytest.raises(UsageError, match=r"y holds 1..5, the network has classes 0..4"):
        labels_of(graph, {"X": x, "y": np.arange(1, 6)}, HERE)


def test_a_map_of_classes_has_no_single_label() -> None:
    """One for each pixel does not compare with one for each sample."""
    s = Sketch()
    graph = s.graph(s.op("y", ArgMax(), s.input("x", 1, 2, 2, 3)))
    arrays = {"X": np.zeros((4, 2, 2, 3), np.float32), "y": np.arange(4) % 3}
    with pytest.raises(UsageError, match="the network gives 4; leave it out"):
        labels_of(graph, arrays, HERE)


def test_indices_do_not_change_a_schemes_name() -> None:
    """They are int32 and exact in all of them."""
    graph = classifier(indices=True)
    deployed = quantize_graph(graph, named("int8", "floor"), samples(graph))
    assert scheme_of(deployed) == "int8 floor"


def test_integers_of_two_kinds_do_not_meet() -> None:
    """A kernel has one type for all its activations."""
    s = Sketch()
    x = s.input("x", 1, 1)
    graph = s.graph(s.op("largest", ArgMax(), s.op("same", Reshape((1, 1)), x)))
    graph = quantize_graph(graph, SCHEMES["int8"], samples(graph))
    total = Node("sum", Add(), ("x", "largest"), graph["x"].type)
    with pytest.raises(UnsupportedError, match="'sum' mixes int32 and int8"):
        verify(Graph((*graph.nodes, total), ("sum",), graph.weights))
