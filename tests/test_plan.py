# SPDX-License-Identifier: Apache-2.0
"""Memory: nothing that lives together overlaps, and no byte is spent in vain."""

from dataclasses import replace

import pytest

from microai.graph import Graph, replace_node
from microai.ops import Add, Dense, MaxPool, Relu, Reshape
from microai.plan import ALIGN, Plan, live_buffers, plan
from tests.graphs import GRAPHS, Sketch, quantized


def assert_sound(graph: Graph, made: Plan) -> None:
    """Buffers alive at one step do not share a byte."""
    buffers = live_buffers(graph)
    for i, one in enumerate(buffers):
        start = made.offsets[one.names[0]]
        assert start % ALIGN == 0
        assert start + one.bytes <= made.arena_bytes - made.state_bytes
        for other in buffers[i + 1 :]:
            if one.start <= other.end and other.start <= one.end:
                at = made.offsets[other.names[0]]
                assert at + other.bytes <= start or start + one.bytes <= at, (one, other)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scratch", [0, 100])
def test_plans_are_sound_and_tight(name: str, scratch: int) -> None:
    """On these graphs the greedy placement meets the lower bound."""
    graph = quantized(name)
    made = plan(graph, {node.name: scratch for node in graph.steps})
    assert_sound(graph, made)
    assert made.arena_bytes == made.lower_bound_bytes
    assert len(made.scratch) == (len(graph.steps) if scratch else 0)


def test_elementwise_ops_work_in_place() -> None:
    """A chain of them needs one buffer."""
    s = Sketch()
    x = s.input("x", 1, 4, 4, 2)
    pooled = s.op("pool", MaxPool((2, 2), (1, 1)), s.op("relu", Relu(), x))
    graph = s.graph(s.op("flat", Reshape((1, 18)), pooled))
    assert plan(graph, {}).arena_bytes == 4 * 4 * 2 * 4


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    """Add reads x after Relu has run."""
    s = Sketch()
    x = s.input("x", 1, 16)
    relu = s.op("relu", Relu(), x)
    graph = s.graph(s.op("add", Add(), relu, x))
    made = plan(graph, {})
    assert made.offsets["relu"] != made.offsets["x"]
    assert made.offsets["add"] in (made.offsets["relu"], made.offsets["x"])


def test_an_output_is_not_overwritten() -> None:
    """A graph's output stays readable after later steps."""
    s = Sketch()
    relu = s.op("relu", Relu(), s.input("x", 1, 16))
    graph = s.graph(relu, s.op("again", Relu(0.5), relu))
    made = plan(graph, {})
    assert made.offsets["relu"] != made.offsets["again"]


def test_padding_forbids_in_place_pooling() -> None:
    """With padding the output runs ahead of the input."""
    s = Sketch()
    x = s.input("x", 1, 4, 4, 1)
    graph = s.graph(s.op("pool", MaxPool((2, 2), (1, 1), (1, 0, 1, 0)), x))
    assert plan(graph, {}).arena_bytes == 2 * 4 * 4 * 4


def test_state_lives_behind_the_shared_bytes() -> None:
    """And shares them with nobody."""
    s = Sketch()
    x = s.input("x", 1, 8)
    hidden = s.op("hidden", Dense(), x, s.const("w", 8, 8), s.const("b", 8))
    graph = s.graph(s.op("relu", Relu(), hidden))
    graph = replace_node(graph, replace(graph["hidden"], place="state"))
    made = plan(graph, {})
    assert made.state_bytes == 32
    assert made.offsets["hidden"] == made.arena_bytes - 32
    assert made.lower_bound_bytes == made.arena_bytes
