# SPDX-License-Identifier: Apache-2.0
"""A scheme for each layer, so that a network is small and loses little accuracy.

The scan says how much noise each layer adds in each scheme. All layers begin in the cheapest one;
the layer that loses the most noise for a byte is raised until the whole network, run by its integer
rules, is accurate enough; then each raised layer is tried lower again. Bytes are those of the
compiled network: conversions and what is alive together count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from microai.backend import Kernel
from microai.board import Board
from microai.errors import DoesNotFitError, Tell
from microai.fit import check_fit
from microai.graph import Graph
from microai.pipeline import compile_graph
from microai.quantize.ptq import quantize
from microai.quantize.scheme import Scheme
from microai.render import Compiled
from microai.report import percent
from microai.samples import stored
from microai.sensitivity import Layer, Ranges, Sensitivity, layers
from microai.types import INT_BITS, Array
from microai.verdict import judged

State = Mapping[str, str]
"""A level for each layer, by the name of its first step."""
Noise = Mapping[str, Mapping[str, float]]
"""Noise over signal at the network's outputs, with one layer in one level, by both."""
Change = tuple[str, str]
"""A layer and its new level."""

ROUNDING_ERROR = 1e-9  # of a share


@dataclass(frozen=True)
class Search:
    """What is searched: a float network after FLOAT_PASSES, its levels and their ranges; on which
    real samples (N, ...) and labels; with which kernels, for which board (None: any).
    """

    graph: Graph
    levels: Mapping[str, Scheme]
    ranges: Mapping[str, Ranges]
    samples: Mapping[str, Array]
    labels: Array
    kernels: tuple[Kernel, ...]
    board: Board | None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What has a level of its own."""
        return layers(self.graph)


@dataclass(frozen=True)
class Tried:
    """A mixed network, its accuracy by the integer rules and its real bytes. What does not fit the
    board is not run (None).
    """

    state: State
    accuracy: float | None
    weights_bytes: int
    arena_bytes: int

    @property
    def bytes(self) -> int:
        """Flash and RAM together."""
        return self.weights_bytes + self.arena_bytes

    @property
    def rank(self) -> tuple[int, float]:
        """The smaller the better; of the same size the more accurate."""
        return self.bytes, -(self.accuracy or 0)

    def reaches(self, least: float) -> bool:
        """Whether it fits, and is as accurate."""
        return self.accuracy is not None and self.accuracy >= least - ROUNDING_ERROR

    def __str__(self) -> str:
        share = "does not fit" if self.accuracy is None else percent(self.accuracy)
        return f"{share}, weights {self.weights_bytes:,} B, arena {self.arena_bytes:,} B"


def uniform(search: Search, level: str) -> State:
    """Every layer in one level."""
    return {layer[0]: level for layer in search.layers}


def spelled(search: Search, state: State) -> dict[str, str]:
    """The level of every input and step; an input has that of its most precise reader."""
    graph = search.graph
    named = {name: state[layer[0]] for layer in search.layers for name in layer}
    for node in graph.inputs:
        readers = [named[user.name] for user in graph.users(node.name)] or list(search.levels)[:1]
        named[node.name] = max(readers, key=lambda level: _bits(search.levels[level].activations))
    return named


def _bits(dtype: str | None) -> int:
    return INT_BITS[dtype] if dtype else 32


def mixed(search: Search, state: State) -> Graph:
    """The network in integers."""
    named = spelled(search, state)
    schemes = {name: search.levels[level] for name, level in named.items()}
    ranges = {name: search.ranges[level][name] for name, level in named.items()}
    return quantize(search.graph, next(iter(schemes.values())), ranges, schemes)


def measure(search: Search, state: State, what: str, tell: Tell) -> Tried:
    """The figures of a mixed network; `what` says it to people."""
    compiled = compile_graph(mixed(search, state), kernels=search.kernels)
    accuracy = None
    if fits(compiled, search.board):
        inputs = stored(compiled.source, search.samples)
        accuracy = judged(compiled.source, inputs, search.labels)
    tried = Tried(state, accuracy, compiled.weights_bytes, compiled.plan.arena_bytes)
    tell(f"{what}: {tried}")
    return tried


def fits(compiled: Compiled, board: Board | None) -> bool:
    """Whether weights and arena alone do not exceed the board."""
    try:
        if board:
            check_fit(compiled, board)
    except DoesNotFitError:
        return False
    return True


def noise_of(scan: tuple[Sensitivity, ...]) -> Noise:
    """The scan as powers, which nearly add up over layers."""
    noise: dict[str, dict[str, float]] = {}
    for row in scan:
        noise.setdefault(row.layer, {})[row.scheme] = 10 ** (-row.snr_db / 10)
    return noise


def climb(
    search: Search, start: Tried, noise: Noise, least: float, tell: Tell
) -> tuple[Tried, ...]:
    """From a network that fits, what was tried until one reaches the least accuracy, or until
    nothing is left to raise.
    """
    tried: list[Tried] = []
    current, barred = start, set[Change]()
    while not current.reaches(least):
        change = _most_for_a_byte(search, current.state, noise, barred)
        if change is None:
            break
        layer, level = change
        candidate = measure(search, {**current.state, layer: level}, f"{layer} to {level}", tell)
        tried.append(candidate)
        if candidate.accuracy is None:
            barred.add(change)
        else:
            current = candidate
    return tuple(tried)


def _most_for_a_byte(
    search: Search, state: State, noise: Noise, barred: set[Change]
) -> Change | None:
    """The change that takes most noise away for each byte that it costs."""
    best, most = None, 0.0
    for layer in search.layers:
        name = layer[0]
        now = _bytes(search, layer, state[name])
        for level, power in noise[name].items():
            cost = max(_bytes(search, layer, level) - now, 1)
            gain = (noise[name][state[name]] - power) / cost
            if gain > most and (name, level) not in barred:
                best, most = (name, level), gain
    return best


def _bytes(search: Search, layer: Layer, level: str) -> int:
    """About what a layer takes in a level: its weights, and its largest tensor."""
    graph, scheme = search.graph, search.levels[level]
    weights = {i for name in layer for i in graph[name].inputs if i in graph.weights}
    largest = max(graph[name].type.size for name in layer)
    bits = sum(graph[name].type.size for name in weights) * _bits(scheme.weights)
    return (bits + largest * _bits(scheme.activations)) // 8


def descend(
    search: Search, found: Tried, lowest: State, least: float, tell: Tell
) -> tuple[Tried, ...]:
    """What was tried from a network that reaches the least accuracy: each layer that is above
    `lowest` in each cheaper level, what saves most first.
    """
    order = list(search.levels)
    tried: list[Tried] = []
    best = found
    for layer in sorted(search.layers, key=lambda one: -_saved(search, one, found.state, lowest)):
        name = layer[0]
        now = best.state[name]
        for level in order[: order.index(now)]:
            if _bytes(search, layer, level) == _bytes(search, layer, now):
                continue
            state = {**best.state, name: level}
            tried.append(measure(search, state, f"{name} back to {level}", tell))
            if tried[-1].reaches(least) and tried[-1].rank <= best.rank:
                best = tried[-1]
                break
    return tuple(tried)


def _saved(search: Search, layer: Layer, state: State, lowest: State) -> int:
    return _bytes(search, layer, state[layer[0]]) - _bytes(search, layer, lowest[layer[0]])
