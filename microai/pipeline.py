# SPDX-License-Identifier: Apache-2.0
"""The whole compiler in order; read this first.

The pure part, Graph to Sources: FLOAT_PASSES, quantize, INT_PASSES, select, plan, render.
The part that touches the world, Sources to Report: build, measure, compare.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microai.backend import NHWC, Cost, Kernel, by_preference, select
from microai.backends import kernels as all_kernels
from microai.backends.variants import variants
from microai.board import Board
from microai.bounds import prove_accumulators
from microai.choices import Chosen, by_name, check_kernels, check_model
from microai.device import qemu
from microai.device.build import Firmware, RegionOverflowError, build
from microai.device.measure import Measured, measure
from microai.errors import Tell, UsageError
from microai.facts import layer_facts, model_facts, total_macs
from microai.files import write_files
from microai.fit import check_fit, too_large
from microai.graph import Graph, apply
from microai.interpret import require_rules
from microai.job import Job
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.plan import plan
from microai.predict.cost import Cost as Taken
from microai.predict.prediction import predict
from microai.profiling import Costs, Profile, costs_of, profile
from microai.quantize.clipped import clipped
from microai.quantize.mixed import schemes_of
from microai.quantize.observe import observe
from microai.quantize.ptq import quantize
from microai.quantize.scheme import SCHEMES, Scheme, scheme_of
from microai.render import Compiled, render, render_harness
from microai.report import Metric, Report
from microai.samples import normalized, raw, stored
from microai.save import to_bytes
from microai.source import Source, calibration_reals
from microai.types import Array, Arrays
from microai.verdict import accuracy, mismatches


@dataclass(frozen=True)
class Recipe:
    """How to store a network, None as it comes; layers with schemes of their own; which kernels,
    in order of preference or as `microai tune` has chosen among their variants.
    """

    scheme: Scheme | None = None
    layers: Mapping[str, Scheme] = field(default_factory=dict)
    kernels: tuple[Kernel, ...] = field(default_factory=all_kernels)
    chosen: Chosen | None = None


@dataclass(frozen=True)
class Deployment:
    """A report and the raw tensors behind it."""

    report: Report
    measured: Measured


def quantize_graph(
    graph: Graph,
    scheme: Scheme,
    samples: Mapping[str, Array] | None,
    layers: Mapping[str, Scheme] | None = None,
    tell: Tell = lambda _: None,
) -> Graph:
    """A float graph cleaned up and stored as the schemes say; `samples` calibrate it."""
    graph = apply(graph, FLOAT_PASSES)
    if scheme.activations is None and not layers:
        return graph
    if samples is None:
        raise UsageError("integers need real samples: pass --calibration x.npz (array X)")
    schemes = schemes_of(graph, scheme, layers or {})
    ranges = observe(graph, samples, schemes)
    integers = quantize(graph, scheme, ranges, layers)
    for sentence in clipped(graph, ranges, integers, schemes):
        tell(sentence)
    return integers


def compile_graph(
    graph: Graph, name: str = "model", kernels: Sequence[Kernel] | None = None,
    chosen: Chosen | None = None,
) -> Compiled:  # fmt: skip
    """A graph in its final storage as C. Pure: equal graphs give equal bytes."""
    prove_accumulators(graph)
    return _compile_unproved(graph, name, all_kernels() if kernels is None else kernels, chosen)


def _compile_unproved(
    graph: Graph, name: str, kernels: Sequence[Kernel], chosen: Chosen | None
) -> Compiled:
    source, graph = graph, apply(graph, INT_PASSES)
    if chosen is None:
        return compile_steps(source, graph, name, kernels, by_preference(kernels))
    check_model(chosen, graph)
    compiled = compile_steps(source, graph, name, variants(kernels), by_name(chosen.kernels))
    check_kernels(chosen, compiled)
    return compiled


def compile_steps(
    source: Graph, graph: Graph, name: str, kernels: Sequence[Kernel], cost: Cost
) -> Compiled:
    """A graph behind its last pass as C, with the cheapest kernels; `source` is what it came of."""
    choices = select(graph, kernels, cost)
    kernels_taken = [choice.kernel for choice in choices.values()]
    assert all(k.reads == k.writes == NHWC for k in kernels_taken), "render knows no other layout"
    placed = plan(graph, {node: choice.scratch_bytes for node, choice in choices.items()})
    return Compiled(name, source, graph, choices, placed, render(graph, choices, placed, name))


def compile_source(source: Source, recipe: Recipe, name: str, tell: Tell) -> Compiled:
    """The user's model as C."""
    compiled = compile_graph(
        stored_graph(source, recipe, tell), name, recipe.kernels, recipe.chosen
    )
    before, after = total_macs(compiled.source), total_macs(compiled.graph)
    if after < before:
        tell(
            f"channels that never change or are never read are gone: {before:,} MACs, now {after:,}"
        )
    return compiled


def scheme_for(source: Source, recipe: Recipe) -> Scheme:
    """What was asked for, or what the file says, or int8."""
    return recipe.scheme or source.scheme or SCHEMES["int8"]


def stored_graph(source: Source, recipe: Recipe, tell: Tell) -> Graph:
    """The user's model in its storage; one that came in integers keeps them."""
    if not source.quantized:
        scheme = scheme_for(source, recipe)
        if source.borrowed and (scheme.activations or recipe.layers):
            tell("calibrating on --data itself; pass --calibration for an honest accuracy")
        reals = calibration_reals(source)
        return quantize_graph(source.graph, scheme, reals, recipe.layers, tell)
    if recipe.scheme or recipe.layers:
        raise UsageError(
            f"the model is quantized already, as {scheme_of(source.graph)}; "
            "--scheme, --rounding, --per-channel, --ranges and --layer need a float one"
        )
    return source.graph


def check_source(source: Source, recipe: Recipe, name: str, tell: Tell) -> Compiled:
    """As `compile_source`; without calibration data, with nominal ranges and nothing proved.

    Shapes, kernels and sizes do not depend on ranges.
    """
    if source.quantized or source.calibration:
        return compile_source(source, recipe, name, tell)
    scheme = scheme_for(source, recipe)
    if scheme.activations is None and not recipe.layers:
        return compile_source(source, recipe, name, tell)
    if recipe.chosen:
        raise UsageError("--choices are of the calibrated network: pass its --calibration")
    tell("no --calibration: nominal ranges, accumulators not proved")
    graph = apply(source.graph, FLOAT_PASSES)
    ranges = {node.name: (-1.0, 1.0) for node in graph.nodes if node.name not in graph.weights}
    graph = quantize(graph, scheme, ranges, recipe.layers)
    return _compile_unproved(graph, name, recipe.kernels, recipe.chosen)


def fits(compiled: Compiled, board: Board) -> bool | None:
    """True once the image links; DoesNotFitError where it is too large, None without compiler."""
    check_fit(compiled, board)
    if not shutil.which("arm-none-eabi-gcc"):
        return None
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        build_image(compiled, board, Path(work))
    return True


def generate(compiled: Compiled, out: Path) -> None:
    """Write the C files, and the graph they were made from as <name>.mai."""
    files = {name: text.encode() for name, text in compiled.sources.items()}
    write_files({**files, f"{compiled.name}.mai": to_bytes(compiled.graph)}, out)


def deploy(source: Source, compiled: Compiled, job: Job, tell: Tell) -> Deployment:
    """Build, run every sample in the emulator, compare every output; files go to `job.out`."""
    board = job.board
    check_fit(compiled, board)
    require_rules(compiled.graph)
    inputs = _inputs(source, compiled)
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        tell(f"building for {board.name}")
        firmware = build_image(compiled, board, Path(work) / "model")
        harness = build(render_harness([]), board, Path(work) / "harness")
        with qemu.connect(firmware.elf, board, job.emulator) as link:
            measured = measure(link, compiled, inputs, board, tell, job.stepped)
        costs = costs_of(compiled, firmware, first_of(inputs), job, tell)
        if job.out:
            generate(compiled, job.out)
            write_files({"firmware.elf": firmware.elf.read_bytes()}, job.out)
    tell("comparing with the reference")
    wrong = mismatches(compiled.source, inputs, measured.outputs)
    wrong += mismatches(compiled.graph, inputs, measured.layers)
    if source.labels is not None and len(source.graph.outputs) != 1:
        tell(f"no accuracy: the network has {len(source.graph.outputs)} outputs")
    metric = _metric(source, measured)
    report = _report(compiled, job, firmware, harness, measured, costs, wrong, metric)
    return Deployment(report, measured)


def first_sample(source: Source, compiled: Compiled) -> Arrays:
    """One sample (1, ...) as the target stores it."""
    return first_of(_inputs(source, compiled))


def profile_source(source: Source, compiled: Compiled, job: Job, tell: Tell) -> Profile:
    """Build, run the first sample in the emulator, predict what it takes on the board."""
    check_fit(compiled, job.board)
    sample = first_sample(source, compiled)
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        tell(f"building for {job.board.name}")
        firmware = build_image(compiled, job.board, Path(work))
        return profile(compiled, firmware, sample, job, tell)


def first_of(inputs: Mapping[str, Array]) -> Arrays:
    """The first sample, still with its batch axis."""
    return {name: array[:1] for name, array in inputs.items()}


def build_image(compiled: Compiled, board: Board, folder: Path) -> Firmware:
    """The model with its harness; DoesNotFitError where it is too large."""
    try:
        sources = {**compiled.sources, **render_harness([compiled])}
        return build(sources, board, folder, compiled.libraries)
    except RegionOverflowError as overflow:
        raise too_large(compiled, board, overflow.region, overflow.over) from None


def _inputs(source: Source, compiled: Compiled) -> Arrays:
    """The samples as the target stores them."""
    assert source.samples is not None
    if source.raw:
        return raw(compiled.graph, source.samples)
    return stored(compiled.graph, normalized(source.graph, source.samples))


def _metric(source: Source, measured: Measured) -> Metric | None:
    if source.labels is None or len(source.graph.outputs) != 1:
        return None
    assert source.samples is not None
    reals = None if source.quantized else normalized(source.graph, source.samples)
    return accuracy(source.graph, reals, next(iter(measured.outputs.values())), source.labels)


def _report(  # noqa: PLR0913, PLR0917  the one place where everything that was measured meets
    compiled: Compiled, job: Job, firmware: Firmware, harness: Firmware, measured: Measured,
    costs: Costs, wrong: int, metric: Metric | None,
) -> Report:  # fmt: skip
    integers = any(node.type.quant for node in compiled.graph.nodes)
    counted = zip(costs.steps, measured.layer_instructions, strict=True)
    layers = [Taken(count, cost.cycles, cost.stall_cycles) for cost, count in counted]
    return Report(
        schema="microai.deploy/1",
        model=model_facts(compiled),
        board=job.board.name,
        runner="qemu",
        scheme=scheme_of(compiled.graph),
        samples=len(next(iter(measured.outputs.values()))),
        mismatches=wrong,
        bit_exact=wrong == 0 if integers else None,
        metric=metric,
        flash_bytes=firmware.flash_bytes,
        code_bytes=firmware.code_bytes,
        weights_bytes=compiled.weights_bytes,
        ram_bytes=firmware.ram_bytes,
        arena_bytes=compiled.plan.arena_bytes,
        arena_lower_bound_bytes=compiled.plan.lower_bound_bytes,
        stack_bytes=measured.stack_bytes,
        harness_flash_bytes=harness.flash_bytes,
        harness_ram_bytes=harness.ram_bytes,
        instructions=measured.instructions,
        prediction=predict(costs.whole, job.board, job.power_mw, costs.lacking),
        elf=str(job.out / "firmware.elf") if job.out else None,
        sources=str(job.out) if job.out else None,
        libraries=tuple(library.description for library in compiled.libraries),
        layers=layer_facts(compiled, layers),
    )
