# SPDX-License-Identifier: Apache-2.0
"""What the ladder's rungs share: a case as a graph, in a scheme, on a target.

All cases of a backend and scheme go into one image; each is then run on its own.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from microai.backend import Backend, Library
from microai.backends import BACKENDS, kernels
from microai.backends.cmsis_nn import CMSIS_NN, cmsis_nn
from microai.backends.portable import PORTABLE
from microai.board import emulated, load_board
from microai.device import host, qemu, session
from microai.device.build import build, build_host
from microai.device.protocol import Link
from microai.graph import Graph, Node, verify
from microai.interpret import interpret
from microai.op import Const, Input
from microai.ops import Dequantize, Lookup, Quantize
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize import ptq
from microai.quantize.mixed import schemes_of
from microai.quantize.observe import observe
from microai.quantize.scheme import SCHEMES as NAMED
from microai.quantize.scheme import Scheme, named
from microai.render import Compiled, render_harness
from microai.samples import stored
from microai.types import Array, Quant, TensorType
from tests.cases import CASES, Case
from tests.library import contract

SAMPLES = 3
SCHEMES: dict[str, Scheme] = {
    **NAMED,
    "ties": NAMED["int8"],  # with scales that are powers of two
    "ties16": NAMED["int16x8"],
    "floor": named("int8", "floor"),
    "qmn8-floor": named("qmn8", "floor", per_channel=True),
    "qmn16-floor": named("qmn16", "floor"),
}
PLAIN = ("f32", "int8x4")  # of whose weights simd reads none
LADDER = [
    (scheme, backend.name)
    for scheme in SCHEMES
    for backend in BACKENDS
    if backend.name == "portable" or scheme not in PLAIN
    if scheme != "ties16"
]
CALLED = [
    (scheme, "cmsis_nn")
    for scheme in ("int8", "int8x4", "int16x8", "qmn8", "qmn16", "ties", "ties16")
]
"""Where a library's functions are called; which library, the target says."""
QUICK = {("int8", "simd"), ("qmn16", "simd"), ("int8", "cmsis_nn")}
"""What `make check` runs of them."""


def case_graph(case: Case, seed: int = 0) -> Graph:
    """One node with its inputs, weights drawn at random."""
    op, shapes = case
    random = np.random.default_rng(seed)
    nodes, weights = [], {}
    for position, shape in enumerate(shapes):
        name = f"i{position}"
        constant = position in op.CHANNEL_AXIS
        source = Const(shape) if constant else Input(shape)
        nodes.append(Node(name, source, (), TensorType(shape), "flash" if constant else "arena"))
        if constant:
            weights[name] = random.normal(scale=0.5, size=shape).astype(np.float32)
    kind = op.infer(*(node.type for node in nodes))
    nodes.append(Node("y", op, tuple(node.name for node in nodes), kind))
    graph = Graph(tuple(nodes), ("y",), weights)
    verify(graph)
    return graph


def inputs_of(graph: Graph, seed: int, spread: float = 1.0) -> dict[str, Array]:
    """Samples around 0.3: ranges, and so zero points, are not symmetric."""
    random = np.random.default_rng(seed)
    return {
        node.name: random.normal(0.3, spread, (SAMPLES, *node.type.shape[1:])).astype(np.float32)
        for node in graph.inputs
    }


@dataclass(frozen=True)
class Trial:
    """A case compiled in a scheme, with stored inputs and what the rules make of them."""

    compiled: Compiled
    inputs: dict[str, Array]
    reference: Mapping[str, Array]


def backend_of(name: str, library: Library | None = None) -> Backend:
    """By name; CMSIS-NN's with a library."""
    if name == CMSIS_NN.name:
        return cmsis_nn(library or contract())
    return next(backend for backend in BACKENDS if backend.name == name)


def trial(
    case: Case, scheme: str, backend: str, name: str = "model", seed: int = 0,
    library: Library | None = None,
) -> Trial:  # fmt: skip
    """Calibrated on less than it will see, so that both ends saturate."""
    graph = case_graph(case, seed)
    if scheme != "f32":
        calibration = inputs_of(graph, seed + 1, spread=0.5)
        make = tied if scheme.startswith("ties") else quantize_graph
        graph = half_float(make(graph, SCHEMES[scheme], calibration))
    chosen = kernels([backend_of(backend, library), PORTABLE])
    compiled = compile_graph(graph, name, chosen)
    inputs = stored(compiled.graph, inputs_of(compiled.graph, seed + 2, spread=1.5))
    return Trial(compiled, inputs, interpret(compiled.graph, inputs))


def tied(graph: Graph, scheme: Scheme, calibration: Mapping[str, Array]) -> Graph:
    """Every scale a power of two: many sums are exact ties, where rounding up must be seen."""
    schemes = schemes_of(graph, scheme, {})
    proposed = ptq.propose(graph, schemes, observe(graph, calibration, schemes))
    quants = ptq.agreed(graph, {name: _power_of_two(quant) for name, quant in proposed.items()})
    return ptq.store(graph, quants)


def _power_of_two(quant: Quant | None) -> Quant:
    assert quant
    return replace(quant, scale=tuple(2.0 ** round(math.log2(s)) for s in quant.scale))


def half_float(graph: Graph) -> Graph:
    """Quantize reads float32 and Dequantize makes it, whatever the scheme says."""
    float_ends = {Quantize: ("i0",), Dequantize: ("y",)}
    floats = float_ends.get(type(graph["y"].op), ())
    nodes = tuple(
        replace(n, type=TensorType(n.type.shape)) if n.name in floats else n for n in graph.nodes
    )
    return replace(graph, nodes=nodes)


def applies(case: Case, scheme: str) -> bool:
    """Conversions and tables of integers have no float form."""
    return scheme != "f32" or not isinstance(case[0], Quantize | Dequantize | Lookup)


@cache
def trials(scheme: str, backend: str, library: Library | None = None) -> dict[str, Trial]:
    """Every case that the backend takes itself, by name."""
    made = {
        name: trial(case, scheme, backend, name.replace("-", "_"), library=library)
        for name, case in CASES.items()
        if applies(case, scheme)
    }
    return {n: t for n, t in made.items() if t.compiled.choices["y"].kernel.backend == backend}


@contextmanager
def on_host(trials: list[Trial], folder: Path, compiler: str = "gcc") -> Iterator[Link]:
    """All trials as one process with address and undefined-behaviour sanitizers."""
    program = build_host(_sources(trials), folder, compiler, _libraries(trials))
    with host.connect(program) as link:
        yield link


@contextmanager
def in_qemu(trials: list[Trial], folder: Path, program: str) -> Iterator[Link]:
    """All trials as one image in QEMU, with the largest shipped board's memory."""
    board = emulated(load_board("l4r5"))
    firmware = build(_sources(trials), board, folder, _libraries(trials), debug=True)
    with qemu.connect(firmware.elf, board, program) as link:
        yield link


def _libraries(trials: list[Trial]) -> list[Library]:
    """What they are built with besides our own."""
    return list(dict.fromkeys(lib for one in trials for lib in one.compiled.libraries))


def _sources(trials: list[Trial]) -> dict[str, str]:
    sources: dict[str, str] = {}
    for one in trials:
        sources |= one.compiled.sources
    return sources | render_harness([one.compiled for one in trials])


def check(link: Link, index: int, one: Trial) -> None:
    """The target's outputs equal the reference: integers exactly, floats to 1e-5."""
    session.select(link, one.compiled, index)
    for number, sample in enumerate(session.samples(one.inputs)):
        outputs, _ = session.infer(link, one.compiled, sample)
        for name, found in outputs.items():
            expected = one.reference[name][number : number + 1]
            if expected.dtype.kind == "i":
                np.testing.assert_array_equal(found, expected)
            else:
                limit = 1e-5 * np.abs(one.reference[name]).max()
                np.testing.assert_allclose(found, expected, rtol=0, atol=limit)
