# SPDX-License-Identifier: Apache-2.0
"""The commands that take a network to C, to a board, or to another format."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from microai import pipeline
from microai.board import emulated, load_board
from microai.errors import UsageError
from microai.exchange import export_source
from microai.files import check_writable
from microai.job import Job
from microai.mixture import mixed_recipe
from microai.options import (
    BackendNames,
    BoardName,
    Calibration,
    ChoicesFile,
    Clock,
    CmsisNn,
    Data,
    Emulate,
    Json,
    LayerSchemes,
    Levels,
    MaxDrop,
    MaybeModel,
    MixedHow,
    Model,
    Name,
    Normalize,
    Out,
    PerChannel,
    PowerMw,
    Qemu,
    RangeMethod,
    RoundingMode,
    Scheme,
    Seed,
    Shape,
    To,
)
from microai.show import (
    save_tensors,
    show_check,
    show_deployment,
    show_export,
    stdout,
    tell,
)
from microai.source import open_raw, open_source, own_name, with_calibration_labels, with_samples
from microai.wanted import (
    How,
    check_names,
    choices_of,
    format_of,
    kernels_of,
    power_of,
    question_of,
    recipe_of,
    target_of,
    wish_of,
)


def deploy(
    model: MaybeModel = None,
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    clock: Clock = None,
    power_mw: PowerMw = None,
    choices: ChoicesFile = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    mixed: MixedHow = None,
    max_drop: MaxDrop = None,
    levels: Levels = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    data: Data = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    seed: Seed = 0,
    out: Out = Path("build"),
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Quantize, generate C, build, run on real samples, check every output, report."""
    power = power_of(power_mw)
    target = target_of(board, qemu, emulate=emulate, clock=clock)
    taken = choices_of(choices, target, tell)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, chosen, taken)
    barred = {"--scheme": scheme, "--layer": layer, "--choices": choices}
    wish = wish_of(mixed, max_drop, levels, how, barred)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_names(name, out / "firmware.elf")
    source = with_samples(open_source(question, tell), seed, tell)
    if wish:
        labelled = with_calibration_labels(source, question)
        recipe = mixed_recipe(labelled, wish, chosen, target, out / "mixed.json", tell)
    compiled = pipeline.compile_source(source, recipe, name or own_name(model), tell)
    job = Job(target, qemu, out, power_mw=power)
    done = pipeline.deploy(source, compiled, job, tell)
    show_deployment(done, as_json=as_json)


def run(
    model: Model,
    input_file: Annotated[Path, typer.Option("--input", help=".npy in the network's storage.")],
    output: Annotated[Path, typer.Option("--output", help=".npy for the raw outputs.")],
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    layers: Annotated[Path | None, typer.Option("--layers", help=".npz for every layer.")] = None,
    choices: ChoicesFile = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Run raw inputs on the target and keep its raw outputs."""
    target = target_of(board, qemu, emulate=emulate)
    taken = choices_of(choices, target, tell)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, chosen, taken)
    question = question_of(model, input_shape, None, calibration, normalize, 0)
    check_names(name, output, layers)
    source = open_raw(question, input_file, tell)
    compiled = pipeline.compile_source(source, recipe, name or own_name(model), tell)
    if len(compiled.graph.outputs) > 1 and output.suffix != ".npz":
        raise UsageError(f"the network has {len(compiled.graph.outputs)} outputs; --output x.npz")
    job = Job(target, qemu, stepped=sys.maxsize if layers else 1)
    done = pipeline.deploy(source, compiled, job, tell)
    save_tensors(done, output, layers)
    show_deployment(done, as_json=as_json)


def generate(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the C files.")],
    board: Annotated[
        str | None, typer.Option("--board", help="Refuse --choices for another board.")
    ] = None,
    choices: ChoicesFile = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    qemu: Qemu = "qemu-system-arm",
) -> None:
    """Write the network as C, and as a .mai file for later."""
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    how = How(rounding, per_channel, ranges)
    taken = choices_of(choices, load_board(board) if board else None, tell)
    recipe = recipe_of(scheme, layer, how, chosen, taken)
    question = question_of(model, input_shape, None, calibration, normalize, 0)
    check_names(name, out / "model.c")
    compiled = pipeline.compile_source(
        open_source(question, tell), recipe, name or own_name(model), tell
    )
    pipeline.generate(compiled, out)
    stdout.print(f"{out}: {', '.join(compiled.sources)}, {compiled.name}.mai", soft_wrap=True)


def check(
    model: Model,
    board: Annotated[str | None, typer.Option("--board", help="Also: does it fit?")] = None,
    choices: ChoicesFile = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    name: Name = None,
    calibration: Calibration = None,
    input_shape: Shape = None,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Can the network be deployed, with which kernels, and does it fit?"""
    target = emulated(load_board(board)) if board else None
    taken = choices_of(choices, target, tell)
    chosen = kernels_of(backend, cmsis_nn, qemu, tell)
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, chosen, taken)
    question = question_of(model, input_shape, None, calibration, "none", 0)
    check_names(name)
    source = open_source(question, tell)
    compiled = pipeline.check_source(source, recipe, name or own_name(model), tell)
    fit = pipeline.fits(compiled, target) if target else None
    show_check(compiled, board, fit, as_json=as_json)


def export(
    model: Model,
    to: To,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file.")],
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    ranges: RangeMethod = "minmax",
    layer: LayerSchemes = None,
    data: Data = None,
    calibration: Calibration = None,
    normalize: Normalize = "none",
    input_shape: Shape = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write the network as a .tflite or ONNX file, and compare it with its runtime."""
    kind = format_of(to, out)
    how = How(rounding, per_channel, ranges)
    recipe = recipe_of(scheme, layer, how, ())
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_writable(out)
    source = with_samples(open_source(question, tell), seed, tell)
    show_export(export_source(source, recipe, kind, out, tell), as_json=as_json)


COMMANDS: tuple[Callable[..., None], ...] = (deploy, run, generate, check, export)
