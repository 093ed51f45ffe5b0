# SPDX-License-Identifier: Apache-2.0
"""The command line. Results on stdout, progress on stderr; errors are one line and an exit code."""

import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from microai import pipeline
from microai.asking import COMMANDS
from microai.board import emulated, load_board
from microai.errors import MicroaiError, UsageError
from microai.exchange import export_source
from microai.experiment import run_experiment
from microai.files import check_writable
from microai.names import check_prefix
from microai.options import (
    BackendNames,
    BoardName,
    Calibration,
    CmsisNn,
    Data,
    DataDir,
    Emulate,
    Filters,
    Json,
    LayerSchemes,
    MaybeModel,
    Model,
    Name,
    Normalize,
    Out,
    OwnOut,
    OwnSeed,
    PerChannel,
    Qemu,
    RoundingMode,
    Scheme,
    Seed,
    Shape,
    To,
    format_of,
    kernels_of,
    question_of,
    recipe_of,
    target_of,
)
from microai.pipeline import Job
from microai.settings import changed, load_experiment
from microai.show import (
    save_tensors,
    show_check,
    show_deployment,
    show_experiment,
    show_export,
    stdout,
)
from microai.source import open_raw, open_source, own_name, with_samples

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Neural networks as exact integer C on Cortex-M4F microcontrollers.",
)  # fmt: skip
stderr = Console(stderr=True)


def main() -> None:
    """Run a command; every error becomes one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that emulators end with us
    try:
        app()
    except MicroaiError as error:
        stderr.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:
        code = 130 if isinstance(end, KeyboardInterrupt) else end.code
        if code == 130:  # typer turns Ctrl-C into it, silently
            stderr.print("interrupted; nothing half-written is left")
        sys.exit(code)
    except Exception as error:  # noqa: BLE001  whatever is left is our bug
        with tempfile.NamedTemporaryFile(
            "w", prefix="microai-", suffix=".log", delete=False
        ) as log:
            traceback.print_exc(file=log)
        stderr.print(f"internal error: {type(error).__name__}; please report {log.name}")
        sys.exit(1)


@app.command()
def deploy(
    model: MaybeModel = None,
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
    layer: LayerSchemes = None,
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
    target = target_of(board, qemu, emulate=emulate)
    chosen = kernels_of(backend, cmsis_nn, qemu, _tell)
    recipe = recipe_of(scheme, rounding, layer, chosen, per_channel=per_channel)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    _check_names(name, out / "firmware.elf")
    source = with_samples(open_source(question, _tell), seed, _tell)
    compiled = pipeline.compile_source(source, recipe, name or own_name(model), _tell)
    done = pipeline.deploy(source, compiled, Job(target, qemu, out), _tell)
    show_deployment(done, as_json=as_json)


@app.command()
def run(
    model: Model,
    input_file: Annotated[Path, typer.Option("--input", help=".npy in the network's storage.")],
    output: Annotated[Path, typer.Option("--output", help=".npy for the raw outputs.")],
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    layers: Annotated[Path | None, typer.Option("--layers", help=".npz for every layer.")] = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
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
    chosen = kernels_of(backend, cmsis_nn, qemu, _tell)
    recipe = recipe_of(scheme, rounding, layer, chosen, per_channel=per_channel)
    question = question_of(model, input_shape, None, calibration, normalize, 0)
    _check_names(name, output, layers)
    source = open_raw(question, input_file, _tell)
    compiled = pipeline.compile_source(source, recipe, name or own_name(model), _tell)
    if len(compiled.graph.outputs) > 1 and output.suffix != ".npz":
        raise UsageError(f"the network has {len(compiled.graph.outputs)} outputs; --output x.npz")
    job = Job(target, qemu, stepped=sys.maxsize if layers else 1)
    done = pipeline.deploy(source, compiled, job, _tell)
    save_tensors(done, output, layers)
    show_deployment(done, as_json=as_json)


@app.command()
def generate(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the C files.")],
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
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
    chosen = kernels_of(backend, cmsis_nn, qemu, _tell)
    recipe = recipe_of(scheme, rounding, layer, chosen, per_channel=per_channel)
    question = question_of(model, input_shape, None, calibration, normalize, 0)
    _check_names(name, out / "model.c")
    compiled = pipeline.compile_source(
        open_source(question, _tell), recipe, name or own_name(model), _tell
    )
    pipeline.generate(compiled, out)
    stdout.print(f"{out}: {', '.join(compiled.sources)}, {compiled.name}.mai", soft_wrap=True)


@app.command()
def check(
    model: Model,
    board: Annotated[str | None, typer.Option("--board", help="Also: does it fit?")] = None,
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
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
    chosen = kernels_of(backend, cmsis_nn, qemu, _tell)
    recipe = recipe_of(scheme, rounding, layer, chosen, per_channel=per_channel)
    question = question_of(model, input_shape, None, calibration, "none", 0)
    _check_names(name)
    target = emulated(load_board(board)) if board else None
    source = open_source(question, _tell)
    compiled = pipeline.check_source(source, recipe, name or own_name(model), _tell)
    fit = pipeline.fits(compiled, target) if target else None
    show_check(compiled, board, fit, as_json=as_json)


@app.command()
def experiment(
    file: Annotated[str, typer.Argument(help="uci_har, or a TOML file of your own.")],
    data_dir: DataDir = Path(),
    board: BoardName = "stm32l4",
    emulate: Emulate = False,
    backend: BackendNames = None,
    cmsis_nn: CmsisNn = None,
    filters: Filters = None,
    seed: OwnSeed = None,
    out: OwnOut = None,
    qemu: Qemu = "qemu-system-arm",
    as_json: Json = False,
) -> None:
    """Train a network and deploy it in every storage scheme of an experiment file."""
    target = target_of(board, qemu, emulate=emulate)
    what = changed(load_experiment(file), filters, seed)
    own = f"{Path(file).stem}-{what.network.filters}-{what.training.seed}"
    folder = out or Path("build") / own
    check_writable(folder / "experiment.json")
    job = Job(target, qemu, folder)
    chosen = kernels_of(backend, cmsis_nn, qemu, _tell)
    show_experiment(run_experiment(what, data_dir, job, chosen, _tell), as_json=as_json)


@app.command()
def export(
    model: Model,
    to: To,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file.")],
    scheme: Scheme = None,
    rounding: RoundingMode = "nearest",
    per_channel: PerChannel = False,
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
    recipe = recipe_of(scheme, rounding, layer, (), per_channel=per_channel)
    question = question_of(model, input_shape, data, calibration, normalize, seed)
    check_writable(out)
    source = with_samples(open_source(question, _tell), seed, _tell)
    show_export(export_source(source, recipe, kind, out, _tell), as_json=as_json)


for command in COMMANDS:
    app.command()(command)


def _tell(line: str) -> None:
    stderr.print(escape(line), style="dim", highlight=False, soft_wrap=True)


def _check_names(name: str | None, *files: Path | None) -> None:
    """What can be wrong with options is said before anything takes time."""
    if name is not None:
        check_prefix(name)
    for path in files:
        if path:
            check_writable(path)
