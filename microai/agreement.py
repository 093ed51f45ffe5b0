# SPDX-License-Identifier: Apache-2.0
"""How far an exported file is from our own integers: in its outputs, and in each layer alone.

A layer is compared on our own inputs to it, as a file of its own: what earlier layers round
otherwise does not count again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from microai.export import to_bytes
from microai.graph import Graph, Node
from microai.interpret import interpret
from microai.op import Const, Input
from microai.oracle import Oracle
from microai.types import Array


@dataclass(frozen=True)
class Difference:
    """Of one tensor: the largest, in steps of its storage (float32: as it is), and the share of
    elements that differ at all.
    """

    name: str
    op: str
    largest: float
    share: float


@dataclass(frozen=True)
class Agreement:
    """With which runtime, on how many samples."""

    oracle: str
    samples: int
    outputs: tuple[Difference, ...]
    layers: tuple[Difference, ...]


def extract(graph: Graph, name: str) -> Graph:
    """One node alone: its constants, and an input for everything else that it reads."""
    node = graph[name]
    sources = tuple(_source(graph[read]) for read in dict.fromkeys(node.inputs))
    weights = {s.name: graph.weights[s.name] for s in sources if s.name in graph.weights}
    return Graph((*sources, node), (name,), weights)


def _source(node: Node) -> Node:
    if isinstance(node.op, Const):
        return node
    return Node(node.name, Input(node.type.shape), (), node.type)


def compare(
    graph: Graph, kind: str, content: bytes, inputs: Mapping[str, Array], oracle: Oracle
) -> Agreement:
    """`inputs` (N, ...) are as the graph stores them."""
    ours = interpret(graph, inputs)
    found = oracle.run(graph, content, inputs)
    outputs = tuple(_difference(graph[name], array, ours[name]) for name, array in found.items())
    layers = []
    for node in graph.steps:
        alone = extract(graph, node.name)
        fed = {source.name: ours[source.name] for source in alone.inputs}
        result = oracle.run(alone, to_bytes(alone, kind), fed)[node.name]
        layers.append(_difference(node, result, ours[node.name]))
    samples = len(next(iter(inputs.values())))
    return Agreement(oracle.name, samples, outputs, tuple(layers))


def _difference(node: Node, found: Array, ours: Array) -> Difference:
    apart = np.abs(found.astype(np.float64) - ours.astype(np.float64))
    return Difference(node.name, str(node.op), float(apart.max()), float((apart > 0).mean()))
