# SPDX-License-Identifier: Apache-2.0
"""How much a network loses with one layer in integers and all others in float32."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from microai.device.measure import paced
from microai.errors import Tell
from microai.figures import Error, error
from microai.graph import Graph, Node
from microai.interpret import batches, interpret
from microai.op import Input
from microai.quantize.observe import Range, observe
from microai.quantize.ptq import quantize
from microai.quantize.scheme import SCHEMES, Scheme
from microai.samples import indices_of, real
from microai.types import INT_BITS, Array, Arrays
from microai.verdict import share_correct

Layer = tuple[str, ...]
"""Steps that are stored alike; the first one names the layer."""
Ranges = Mapping[str, Range]
"""What every input and activation reaches."""


@dataclass(frozen=True)
class Sensitivity:
    """The network with one layer in a scheme: its outputs against float, the share of labels it
    gets right (None without labels), and the bytes of that layer's weights.
    """

    layer: str
    scheme: str
    snr_db: float
    accuracy: float | None
    weights_bytes: int


@dataclass(frozen=True)
class Trial:
    """A layer in a scheme, and what of the network that reaches, fed with floats around it."""

    layer: str
    scheme: str
    reached: Graph
    weights_bytes: int


def layers(graph: Graph) -> tuple[Layer, ...]:
    """Every step in one layer: a step with weights, or one that several layers or inputs feed, and
    the weightless steps behind it that it alone feeds.
    """
    found: dict[str, list[str]] = {}
    own: dict[str, str] = {}
    for node in graph.steps:
        heads = {own.get(name, "") for name in node.inputs if name not in graph.weights}
        starts = node.op.CHANNEL_AXIS or len(heads) != 1 or "" in heads
        own[node.name] = node.name if starts else heads.pop()
        found.setdefault(own[node.name], []).append(node.name)
    return tuple(map(tuple, found.values()))


def scan(
    graph: Graph, ranges: Mapping[str, Ranges], schemes: Mapping[str, Scheme],
    samples: Mapping[str, Array], labels: Array | None, tell: Tell,
) -> tuple[Sensitivity, ...]:  # fmt: skip
    """Each layer in each of the named schemes, on real samples (N, ...). `graph` is as FLOAT_PASSES
    leave it, `ranges` has those of each scheme; labels are of its only output.
    """
    trials = [
        _trial(graph, layer, name, scheme, ranges[name])
        for layer in layers(graph)
        for name, scheme in schemes.items()
    ]
    watched = scores_of(graph)
    errors, hits = [Error() for _ in trials], [0.0 for _ in trials]
    for start, index, floats in _work(graph, samples, len(trials), tell):
        found = _found(trials[index].reached, floats, watched)
        errors[index] += sum((error(floats[n], found[n], None) for n in watched), Error())
        if labels is not None:
            scores = found[watched[0]]
            part = labels[start : start + len(scores)]
            hits[index] += share_correct(scores, part, indices=False) * len(part)
    return tuple(
        Sensitivity(
            t.layer, t.scheme, e.snr_db,
            None if labels is None else hit / len(labels), t.weights_bytes,
        )
        for t, e, hit in zip(trials, errors, hits, strict=True)
    )  # fmt: skip


def ranges_of(
    graph: Graph, samples: Mapping[str, Array], schemes: Mapping[str, Scheme]
) -> dict[str, Ranges]:
    """The ranges that each scheme chooses on samples (N, ...)."""
    widest = observe(graph, samples)
    return {
        name: widest if scheme.method == "minmax" else observe(graph, samples, scheme)
        for name, scheme in schemes.items()
    }


def scores_of(graph: Graph) -> tuple[str, ...]:
    """The tensors that errors are of: the outputs, or in place of indices what they point into."""
    indices = indices_of(graph)
    first = indices.inputs[0] if indices else graph.outputs[0]
    return tuple(dict.fromkeys((first, *graph.outputs[1:])))


def _trial(graph: Graph, layer: Layer, name: str, scheme: Scheme, ranges: Ranges) -> Trial:
    stored = quantize(graph, SCHEMES["f32"], ranges, dict.fromkeys(layer, scheme))
    weights = {i for step in layer for i in stored[step].inputs if i in stored.weights}
    bits = sum(stored[i].type.size * bits_of(stored[i]) for i in weights)
    return Trial(layer[0], name, reached(stored), -(-bits // 8))


def bits_of(node: Node) -> int:
    """Of one element where kernels store it."""
    return INT_BITS.get(node.type.dtype, 32)


def reached(graph: Graph) -> Graph:
    """What integers reach of a network; tensors of the float part become inputs."""
    inside: set[str] = set()
    for node in graph.steps:
        if node.type.quant or not inside.isdisjoint(node.inputs):
            inside.add(node.name)
    read = {i for name in inside for i in graph[name].inputs} | inside
    nodes = tuple(_source(graph, n, inside) for n in graph.nodes if n.name in read)
    weights = {name: array for name, array in graph.weights.items() if name in read}
    return Graph(nodes, tuple(name for name in graph.outputs if name in inside), weights)


def _source(graph: Graph, node: Node, inside: set[str]) -> Node:
    if node.name in inside or node.name in graph.weights:
        return node
    return Node(node.name, Input(node.type.shape), (), node.type)


def _work(
    graph: Graph, samples: Mapping[str, Array], trials: int, tell: Tell
) -> Iterator[tuple[int, int, Arrays]]:
    """Where a batch starts, which trial, and the float tensors of the batch; batch by batch, so
    that those of one are in memory.
    """
    parts = list(batches(samples))
    starts = np.cumsum([0, *(len(next(iter(part.values()))) for part in parts)]).tolist()
    floats: Arrays = {}
    for number in paced(range(len(parts) * trials), "trials of the scan", tell):
        part, index = divmod(number, trials)
        if index == 0:
            floats = interpret(graph, parts[part])
        yield starts[part], index, floats


def _found(graph: Graph, floats: Mapping[str, Array], names: tuple[str, ...]) -> Arrays:
    """The named tensors as real numbers, with some layers of the network run by `graph`."""
    values = interpret(graph, {node.name: floats[node.name] for node in graph.inputs})
    known = {node.name: node for node in graph.steps}
    return {n: real(known[n], values[n]) if n in known else floats[n] for n in names}
