# SPDX-License-Identifier: Apache-2.0
"""The networks that engines are compared on, on boards that are not there: BENCHMARKS.md."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from microai.backend import Kernel
from microai.board import Board
from microai.choices import Chosen, Whole
from microai.choosing import Tuning, budget_of, choose
from microai.errors import DoesNotFitError, Tell, UsageError
from microai.facts import total_macs
from microai.frontends import load_model
from microai.graph import Graph
from microai.job import Job
from microai.pipeline import compile_graph, first_of, quantize_graph
from microai.predict.prediction import UNCHECKED
from microai.quantize.scheme import SCHEMES
from microai.report import number
from microai.samples import stored
from microai.types import Arrays

SEED, SAMPLES = 0, 16


@dataclass(frozen=True)
class Peer:
    """What another engine takes for a network; milliseconds on the STM32L4R5 at 120 MHz."""

    engine: str
    instructions: int | None = None
    latency_ms: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """A network in its final storage, made by `graph` of the data folder, and its peers."""

    name: str
    graph: Callable[[Path], Graph]
    peers: tuple[Peer, ...] = ()


@dataclass(frozen=True)
class Result:
    """One network on one board; `refused` where nothing fits. MACs of the network as it came, and
    those that are left without dead channels.
    """

    benchmark: Benchmark
    board: Board
    own_macs: int
    macs: int
    chosen: Chosen | None
    refused: str = ""


def _tiny(file: str, folder: Path) -> Graph:
    path = folder / "models" / file
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file; bench wants the .tflite files of mlcommons/tiny there, named "
            "tiny__<file>: pass --data-dir or set MICROAI_DATA"
        )
    return load_model(str(path), None)


def _resnet(filters: int, scheme: str, _: Path) -> Graph:
    from microai.examples.resnet import ResNetv1_6

    return _drawn(lambda: ResNetv1_6((9, 128), 6, filters), (1, 9, 128), scheme)


def _strided(_: Path) -> Graph:
    from microai.examples.strided import strided

    return _drawn(strided, (1, 3, 32, 32), "int8")


def _drawn(make: Callable[[], object], shape: tuple[int, ...], scheme: str) -> Graph:
    """With random weights: what a network takes hardly depends on them, but for dead channels."""
    import torch

    from microai.frontends.torch import import_module

    torch.manual_seed(SEED)
    module = make()
    assert isinstance(module, torch.nn.Module)
    graph = import_module(module.eval(), (torch.zeros(shape),))
    return quantize_graph(graph, SCHEMES[scheme], _normal(graph))


def _normal(graph: Graph) -> Arrays:
    random = np.random.default_rng(SEED)
    shapes = {node.name: (SAMPLES, *node.type.shape[1:]) for node in graph.inputs}
    return {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}


TFLM = "TFLM 90b983c2 with CMSIS-NN, its instructions in QEMU, ms by a like prediction"
QUALIA = "Qualia-CodeGen with CMSIS-NN"
ST = "X-CUBE-AI, MLPerf Tiny v1.2, measured"
PLUMERAI = "Plumerai, MLPerf Tiny, measured"


def _mlperf(
    name: str, file: str, instructions: int, ms: float, best: Peer
) -> Benchmark:  # fmt: skip
    peers = (Peer(TFLM, instructions, ms), best)
    return Benchmark(f"MLPerf Tiny {name}", partial(_tiny, f"tiny__{file}.tflite"), peers)


def _har(filters: int, scheme: str, *peers: Peer) -> Benchmark:
    name = f"UCI-HAR ResNetv1-6, {filters} filters, {scheme}"
    return Benchmark(name, partial(_resnet, filters, scheme), peers)


BENCHMARKS = (
    _mlperf("images (ic)", "pretrainedResnet_quant", 29_860_000, 355, Peer(ST, None, 165.1)),
    _mlperf("keywords (kws)", "kws_ref_model", 7_700_000, 86, Peer(ST, None, 43.2)),
    _mlperf("persons (vww)", "vww_96_int8", 24_100_000, 295, Peer(ST, None, 88.9)),
    _mlperf("anomalies (ad)", "model_ToyCar_quant_fullint_micro_intio", 583_000, 9,
            Peer(PLUMERAI, None, 4.05)),
    _har(16, "int8", Peer(QUALIA, 734_000)), _har(16, "qmn8"),
    _har(16, "qmn16", Peer(QUALIA, 630_000)),
    _har(80, "int8"), _har(80, "qmn8"), _har(80, "qmn16"),
    Benchmark("CIFAR 5x5, int8", _strided, (Peer(QUALIA, round(1.87 * 3_082_240)),)),
)  # fmt: skip


def run(
    boards: Sequence[Job], kernels: tuple[Kernel, ...], folder: Path, tell: Tell
) -> Iterator[Result]:
    """Every network on every board: fixed preferences and the tuned choice."""
    for benchmark in BENCHMARKS:
        try:
            compiled = compile_graph(benchmark.graph(folder), "bench", kernels)
        except UsageError as error:
            tell(f"left out: {error}")
            continue
        sample = first_of(stored(compiled.graph, _normal(compiled.graph)))
        for job in boards:
            tell(f"{benchmark.name} on {job.board.name}")
            tuning = Tuning(kernels, "latency", budget_of(job.board, None, None))
            macs = (total_macs(compiled.source), total_macs(compiled.graph))
            try:
                yield Result(
                    benchmark, job.board, *macs, choose(compiled, sample, tuning, job, tell)
                )
            except DoesNotFitError as error:
                yield Result(benchmark, job.board, *macs, None, str(error))


HEAD = """# Benchmarks

Written by `make bench`: one inference of each network, with {tools}. Cycles and
milliseconds are **predicted** ({basis}); how far such predictions were off is said at each board.
Instructions are exact. Networks come from their own files (MLPerf Tiny) or have random weights,
which cost nearly the same. Our figures per MAC are of those that are executed, peers' of all that
the network has. Flash and RAM are of the whole image with our harness, RAM with 4 KiB of stack and
the weights that tuning puts there.
The first backend named takes what it does not refuse, the others the rest; `tuned` is what
`microai tune` chooses for latency within the board's memory. Peers stand where figures are known:
instructions and milliseconds as their sources say, not measured here unless it says so. Differences
between predicted and measured milliseconds that are below the known error say nothing.
"""
COLUMNS = (
    "kernels", "instructions", "per MAC", "cycles", "MAC per cycle", "ms", "flash B", "RAM B",
    "arena B",
)  # fmt: skip


def page(results: Sequence[Result], tools: str) -> str:
    """BENCHMARKS.md."""
    basis = next((r.chosen.basis for r in results if r.chosen), "nothing ran")
    head = HEAD.format(tools=tools, basis=basis.partition(",")[0].removeprefix("predicted "))
    by_board: dict[str, list[Result]] = {}
    for result in results:
        by_board.setdefault(result.board.name, []).append(result)
    return "\n".join([head, *(_section(found) for found in by_board.values())])


def _section(results: Sequence[Result]) -> str:
    board = results[0].board
    clock = board.clocks[0]
    known = board.known_error or UNCHECKED
    title = f"## {board.title} at {clock.hz / 1e6:g} MHz, {clock.wait_states} wait states"
    lines = [title, "", f"Known error: {known}.", ""]
    for result in results:
        left = f", {result.macs:,} without dead channels" if result.macs < result.own_macs else ""
        lines += [f"### {result.benchmark.name}: {result.own_macs:,} MACs{left}", ""]
        lines += [result.refused] if result.chosen is None else _table(result, result.chosen)
        lines.append("")
    return "\n".join(lines)


def _table(result: Result, chosen: Chosen) -> list[str]:
    rows = [_line(COLUMNS), _line(["---"] + ["---:"] * (len(COLUMNS) - 1))]
    rows += [_line(_cells(one, result.macs)) for one in (*chosen.preferences, chosen.found)]
    on_l4r5 = result.board.name == "l4r5"
    for peer in result.benchmark.peers:
        per_mac = f"{peer.instructions / result.own_macs:.2f}" if peer.instructions else "-"
        ms = f"{peer.latency_ms:g}" if peer.latency_ms and on_l4r5 else "-"
        if peer.instructions or on_l4r5:
            rows.append(_line([f"*{peer.engine}*", number(peer.instructions), per_mac, "-", "-", ms,
                               "-", "-", "-"]))  # fmt: skip
    return rows


def _cells(one: Whole, macs: int) -> list[str]:
    return [
        one.name, number(one.instructions), f"{one.instructions / macs:.2f}", number(one.cycles),
        f"{macs / one.cycles:.2f}", f"{one.latency_ms:.3f}", number(one.flash_bytes),
        number(one.ram_bytes), number(one.arena_bytes),
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
