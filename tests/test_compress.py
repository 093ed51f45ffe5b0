# SPDX-License-Identifier: Apache-2.0
"""Compression will be passes: two toys show that graph, verify and quantization take them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from microai.graph import Graph, Node, add_const, apply, bypass, insert_before, replace_node
from microai.interpret import interpret
from microai.ops import Add, Dense
from microai.passes import FLOAT_PASSES
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.types import TensorType
from tests.graphs import Sketch, samples


def stack() -> Graph:
    """Three layers of one width with a residual around the second."""
    s = Sketch(5)
    x = s.input("x", 1, 12)
    first = s.op("first", Dense(), x, s.const("w1", 12, 12), s.const("b1", 12))
    second = s.op("second", Dense(), first, s.const("w2", 12, 12), s.const("b2", 12))
    total = s.op("total", Add(), second, first)
    return s.graph(s.op("last", Dense(), total, s.const("w3", 4, 12), s.const("b3", 4)))


@dataclass(frozen=True)
class LowRank:
    """Every dense layer as two, of the given rank."""

    rank: int

    def __call__(self, graph: Graph) -> Graph:
        for node in graph.steps:
            if isinstance(node.op, Dense) and self.rank < min(graph[node.inputs[1]].type.shape):
                graph = self._split(graph, node)
        return graph

    def _split(self, graph: Graph, node: Node) -> Graph:
        u, s, v = np.linalg.svd(graph.weights[node.inputs[1]], full_matrices=False)
        inner, left, right, zero = (f"{node.name}.{part}" for part in ("inner", "u", "v", "zero"))
        graph = add_const(graph, node.name, right, v[: self.rank].astype(np.float32))
        graph = add_const(graph, node.name, zero, np.zeros(self.rank, np.float32))
        scaled = (u[:, : self.rank] * s[: self.rank]).astype(np.float32)
        graph = add_const(graph, node.name, left, scaled)
        made = Node(inner, Dense(), (node.inputs[0], right, zero), TensorType((1, self.rank)))
        graph = insert_before(graph, node.name, made)
        return replace_node(graph, replace(node, inputs=(inner, left, node.inputs[2])))


@dataclass(frozen=True)
class DropLayer:
    """A layer whose output is as its input, gone; the residual around it doubles its input."""

    name: str

    def __call__(self, graph: Graph) -> Graph:
        return bypass(graph, self.name) if self.name in {n.name for n in graph.nodes} else graph


@pytest.mark.parametrize(
    ("method", "bound"), [(LowRank(12), 1e-5), (LowRank(11), 3.0), (DropLayer("second"), 5.0)]
)
def test_compressed_graphs_go_all_the_way(method, bound: float) -> None:
    """Verified, same inputs and outputs, bounded error, then quantized and compiled."""
    graph = stack()
    graph.weights["w2"][:] = np.eye(12) + 0.1 * graph.weights["w2"]  # a layer that does little
    smaller = apply(graph, (method, *FLOAT_PASSES))
    assert smaller.outputs == graph.outputs
    inputs = samples(graph)
    before, after = (interpret(g, inputs)["last"] for g in (graph, smaller))
    assert np.abs(before - after).max() < bound
    assert compile_graph(quantize_graph(smaller, SCHEMES["int8"], inputs)).sources


def test_low_rank_saves_weights() -> None:
    """At rank 3 of 12, half of them."""
    graph = stack()
    small = apply(graph, (LowRank(3),))
    sizes = [sum(c.type.size for c in g.consts) for g in (graph, small)]
    assert sizes[1] < 0.7 * sizes[0]
