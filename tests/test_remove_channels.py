# SPDX-License-Identifier: Apache-2.0
"""What goes with a removed channel, and what does not go."""

import numpy as np
import pytest

from microai.graph import Graph
from microai.ops import Add, Concat, Conv, Dense, DepthwiseConv, MaxPool, Relu, Reshape
from microai.passes._channels import Channels, Keep
from microai.passes.remove_channels import remove_channels
from tests.integers import IntSketch, kept


def residual() -> Graph:
    """Two branches that are added, pooled and flattened; 12 channels."""
    s = IntSketch(4, 1, 4, 4, 3)
    one = s.drawn(Conv(), "x", 12, 1, 1, 3)
    two = s.drawn(DepthwiseConv(pads=(1, 1, 1, 1)), s.op(Relu(), one), 3, 3, 12)
    pooled = s.op(MaxPool((2, 2), (2, 2)), s.op(Add(), one, two))
    return s.graph(s.drawn(Dense(), s.op(Reshape((1, 48)), pooled), 2, 48))


def test_channels_that_move_together() -> None:
    """One tensor is named; what is tied to it follows, and readers lose its columns."""
    graph = residual()
    names = [node.name for node in graph.steps]
    keep = np.arange(12) % 3 == 0
    after = remove_channels(graph, {names[3]: keep})
    assert kept(after) == [4, 4, 4, 4, 4, 16, 2]
    for node in after.consts:
        assert node.type.shape == after.weights[node.name].shape
    columns = graph.weights[graph.steps[-1].inputs[1]][:, np.tile(keep, 4)]
    np.testing.assert_array_equal(after.weights[after.steps[-1].inputs[1]], columns)


def rounded_up(graph: Graph, keep: Keep, multiple: int) -> Graph:
    """As `drop_dead_channels` does it: what ties and the multiple want is settled first."""
    channels = Channels.of(graph)
    flags = channels.closed(channels.flags(keep), multiple)
    return remove_channels(graph, channels.named(flags))


@pytest.mark.parametrize(("multiple", "count"), [(1, 5), (2, 6), (4, 8), (16, 12)])
def test_up_to_a_multiple(multiple: int, count: int) -> None:
    """Or all there were; the same in every tensor that is tied."""
    graph = residual()
    after = rounded_up(graph, {graph.steps[0].name: np.arange(12) < 5}, multiple)
    assert kept(after)[:5] == [count] * 5


def test_parts_and_whole_are_multiples() -> None:
    """Six of six and four of twelve are ten: two more leave the part with six, which needs eight,
    and so on until all fit.
    """
    s = IntSketch(6, 1, 4, 4, 3)
    parts = [s.drawn(Conv(), "x", count, 1, 1, 3) for count in (6, 12)]
    whole = s.op(Concat(3), *parts)
    graph = s.graph(s.drawn(Conv(), whole, 2, 1, 1, 18))
    keep = {parts[0]: np.ones(6, bool), parts[1]: np.arange(12) < 4}
    assert kept(rounded_up(graph, keep, 4)) == [6, 12, 18, 2]
    fewer = {parts[0]: np.arange(6) < 3, parts[1]: np.arange(12) < 3}
    assert kept(rounded_up(graph, fewer, 4)) == [4, 4, 8, 2]


def test_one_channel_stays() -> None:
    """No tensor is left without; inputs and outputs stay as they are."""
    graph = residual()
    after = remove_channels(graph, {})
    assert kept(after) == [1, 1, 1, 1, 1, 4, 2]
    assert after.inputs == graph.inputs


def test_shared_weights_are_cut_for_each_reader() -> None:
    """One constant in two layers, of which one loses columns."""
    s = IntSketch(5, 1, 4)
    w, b = s.random.integers(-127, 128, (4, 4)), np.zeros(4, int)
    first = s.linear(Dense(), "x", w, b, s.type("x").stored, (0.01,) * 4)
    again = s.op(Dense(), first, *s.nodes[-1].inputs[1:], out=s.type("x").stored)
    graph = s.graph(again)
    after = remove_channels(graph, {first: np.array([True, False, True, False])})
    assert kept(after) == [2, 4]
    weights = [after.weights[node.inputs[1]] for node in after.steps]
    np.testing.assert_array_equal(weights[0], w[::2])
    np.testing.assert_array_equal(weights[1], w[:, ::2])
