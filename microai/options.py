# SPDX-License-Identifier: Apache-2.0
"""The command line's arguments and options, each described once."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import ValidationError

from microai.backend import Kernel
from microai.backends import EVERY, kernels
from microai.backends.cmsis_nn import CMSIS_NN, cmsis_nn
from microai.board import Board, emulated, load_board
from microai.checked import problems
from microai.device.build import find_tool
from microai.device.cmsis_nn import installed
from microai.device.serial import attached
from microai.errors import DeviceError, Tell, UsageError
from microai.export import FORMATS
from microai.files import check_writable
from microai.mixture import Wish
from microai.names import check_prefix
from microai.pipeline import Recipe
from microai.quantize import scheme as schemes
from microai.quantize.scheme import SCHEMES
from microai.settings import Training
from microai.source import Question

FILES = "file.py:factory, .pt2, .onnx, .tflite or .mai"
Model = Annotated[str, typer.Argument(help=FILES)]
MaybeModel = Annotated[
    str | None,
    typer.Argument(help=f"{FILES}; none is the digits example"),
]
LayerSchemes = Annotated[
    list[str] | None, typer.Option("--layer", help="NAME=SCHEME for one layer; may be repeated.")
]
BackendNames = Annotated[
    str | None,
    typer.Option(
        "--backend",
        help=f"Of {', '.join(b.name for b in EVERY)}, in order; default simd,portable.",
    ),
]
CmsisNn = Annotated[
    Path | None,
    typer.Option(
        "--cmsis-nn",
        envvar="CMSIS_NN_PATH",
        readable=False,
        help="Folder of the library for --backend cmsis_nn.",
    ),
]
BoardName = Annotated[str, typer.Option("--board", help="A board's name, or a board file.")]
MaybeBoard = Annotated[
    str | None, typer.Option("--board", help="Run on it too; with --emulate alone stm32l4.")
]
Emulate = Annotated[bool, typer.Option("--emulate", help="Run in QEMU; no board needed.")]
Qemu = Annotated[str, typer.Option("--qemu", envvar="MICROAI_QEMU", help="The emulator's program.")]
MaiFile = Annotated[Path, typer.Option("-o", "--out", help="The .mai file.")]
Qat = Annotated[bool, typer.Option("--qat", help="Train on in integers, on the labelled --data.")]
TUNING = {"epochs": 10, "learning_rate": 5e-4, "batch": 64, "optimizer": "adam"}
Epochs = Annotated[int | None, typer.Option("--epochs", help="Of --qat; default 10.")]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Of --qat, with Adam; it falls to 0. Default 0.0005."),
]
Batch = Annotated[int | None, typer.Option("--batch", help="Of --qat; default 64.")]
Scheme = Annotated[
    str | None, typer.Option("--scheme", help=f"{', '.join(SCHEMES)}; default int8.")
]
RoundingMode = Annotated[
    str, typer.Option("--rounding", help="nearest (half up) or floor, as in the MicroAI paper.")
]
PerChannel = Annotated[
    bool, typer.Option("--per-channel", help="A scale for each output channel in Qm.n as well.")
]
RangeMethod = Annotated[
    str,
    typer.Option("--ranges", help="What storage is made for: minmax, percentile, mse or moving."),
]
Levels = Annotated[
    str | None,
    typer.Option("--levels", help="Schemes a layer may have, as in qmn8,qmn16."),
]
LEVELS = "int8x4,int8,int16x8"
MixedHow = Annotated[
    str | None,
    typer.Option("--mixed", help=f"auto: for each layer one of --levels, if not given {LEVELS}."),
]
MaxDrop = Annotated[
    str | None,
    typer.Option("--max-drop", help="Of accuracy against float, as in 1% or 0.01; default 1%."),
]
Svg = Annotated[Path | None, typer.Option("--svg", help="A file for the curves.")]
Samples = Annotated[
    int, typer.Option("--samples", min=1, help="Of --data, spread evenly; all if it has less.")
]
Scan = Annotated[
    bool, typer.Option("--scan/--no-scan", help="Also one layer in integers at a time.")
]
ExperimentFile = Annotated[
    str, typer.Argument(help="A shipped experiment's name, or a .toml of your own.")
]
Filters = Annotated[
    list[int] | None,
    typer.Option("--filters", help="Only this width of the file's, or another; may be repeated."),
]
Seeds = Annotated[int | None, typer.Option("--seeds", help="How many, in place of the file's.")]
Validate = Annotated[
    bool,
    typer.Option("--validate", help="Judge by a part of the training set; no test set is read."),
]
OwnOut = Annotated[Path | None, typer.Option("-o", "--out", help="build/FILE, if not given.")]
Name = Annotated[str | None, typer.Option("--name", help="Prefix of everything in the C files.")]
Shape = Annotated[
    str | None,
    typer.Option(
        "--input-shape", help="As in 1,1,8,8; for a factory without inputs, or open sizes in ONNX."
    ),
]
Data = Annotated[Path | None, typer.Option("--data", help=".npz with X, and labels y.")]
DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MICROAI_DATA", help="The folder of the data sets.")
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help=".npz with X to measure ranges on.")
]
Normalize = Annotated[str, typer.Option("--normalize", help="zscore or none.")]
Seed = Annotated[int, typer.Option("--seed", help="For training and random samples.")]
Json = Annotated[bool, typer.Option("--json", help="One object on stdout, nothing else.")]
Imports = Annotated[
    bool, typer.Option("--imports", help="Operators of PyTorch, ONNX and TFLite instead.")
]
To = Annotated[str, typer.Option("--to", help=" or ".join(FORMATS))]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")]


def question_of(
    model: str | None, input_shape: str | None, data: Path | None, calibration: Path | None,
    normalize: str, seed: int,
) -> Question:  # fmt: skip
    """What to open, or UsageError."""
    if normalize not in ("none", "zscore"):
        raise UsageError(f"--normalize is {normalize!r}, expected zscore or none")
    return Question(model, _shape(input_shape), data, calibration, normalize, seed)


class How(NamedTuple):
    """What is said of every scheme that is named."""

    rounding: str = "nearest"
    per_channel: bool = False
    ranges: str = "minmax"

    def scheme(self, name: str, option: str = "--scheme") -> schemes.Scheme:
        """The named scheme so, or UsageError about `option`."""
        rounding, per_channel, ranges = self
        return schemes.named(name, rounding, ranges, per_channel=per_channel, option=option)


def recipe_of(
    scheme: str | None, layers: list[str] | None, how: How, chosen: tuple[Kernel, ...]
) -> Recipe:
    """How to store the model and with which kernels, or UsageError."""
    own, asked = how.scheme(scheme or "int8"), scheme is not None or how != How()
    named: dict[str, schemes.Scheme] = {}
    for text in layers or []:
        name, _, kind = text.rpartition("=")
        if not name or name in named:
            raise UsageError(f"--layer is {text!r}, expected NAME=SCHEME, once for a name")
        named[name] = how.scheme(kind, f"--layer {name}")
    return Recipe(own if asked else None, named, chosen)


def training_of(
    epochs: int | None, learning_rate: float | None, batch: int | None, *, qat: bool
) -> Training:
    """How --qat trains, or UsageError; without it the options say nothing."""
    given = {"epochs": epochs, "learning_rate": learning_rate, "batch": batch}
    stated = {name: value for name, value in given.items() if value is not None}
    if stated and not qat:
        raise UsageError(f"--{next(iter(stated)).replace('_', '-')} needs --qat")
    try:
        return Training.model_validate({**TUNING, **stated})
    except ValidationError as error:
        raise UsageError(f"options: {problems(error)}") from None


def levels_of(text: str, how: How) -> dict[str, schemes.Scheme]:
    """Schemes by name, or UsageError; each once, and none that stores nothing."""
    names = [name.strip() for name in text.split(",")]
    if "f32" in names or len(set(names)) < len(names):
        raise UsageError(f"--levels is {text!r}, expected schemes in integers, each once")
    return {name: how.scheme(name, "--levels") for name in names}


def wish_of(
    mixed: str | None, max_drop: str | None, levels: str | None, how: How,
    barred: Mapping[str, object],
) -> Wish | None:  # fmt: skip
    """What --mixed auto is asked, None without; UsageError for options that need it, or that say
    otherwise which schemes to take.
    """
    needing = {"--max-drop": max_drop, "--levels": levels}
    if mixed not in (None, "auto"):
        raise UsageError(f"--mixed is {mixed!r}, expected auto")
    stray = [name for name, value in (barred if mixed else needing).items() if value]
    if stray and mixed:
        raise UsageError(f"--mixed auto chooses among --levels; leave {stray[0]} out")
    if stray:
        raise UsageError(f"{stray[0]} needs --mixed auto")
    return Wish(levels_of(levels or LEVELS, how), share_of(max_drop or "1%")) if mixed else None


def share_of(text: str) -> float:
    """1% or 0.01 as 0.01, or UsageError."""
    number, percent = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = float(number) / percent
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1 or (share == 1 and percent == 1):  # 1 is meant as 1% more often
        raise UsageError(f"--max-drop is {text!r}, expected a share as in 1% or 0.01")
    return share


def format_of(name: str, out: Path) -> str:
    """A format to export to, or UsageError; the file must not be called another."""
    if name not in FORMATS:
        raise UsageError(f"--to is {name!r}, expected {' or '.join(FORMATS)}")
    if out.suffix.removeprefix(".").lower() in set(FORMATS) - {name}:
        raise UsageError(f"--to is {name}, the file is {out.name}; expected .{name}")
    return name


def kernels_of(
    names: str | None, cmsis_nn_folder: Path | None, qemu: str, tell: Tell
) -> tuple[Kernel, ...]:
    """Those of the named backends, in their order. CMSIS-NN is looked into at once."""
    if names is None:
        return kernels()
    known = {backend.name: backend for backend in EVERY}
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",")))
    if unknown := [name for name in chosen if name not in known]:
        raise UsageError(f"--backend has no {unknown[0]!r}; there are {', '.join(known)}")
    if CMSIS_NN.name in chosen:
        known[CMSIS_NN.name] = cmsis_nn(installed(cmsis_nn_folder, qemu, tell))
    return kernels([known[name] for name in chosen])


def target_of(name: str, qemu: str, *, emulate: bool) -> Board:
    """The board to build for, once its tools are there; without --emulate a DeviceError, since
    this version flashes nothing.
    """
    board = load_board(name)
    if emulate:
        find_tool("arm-none-eabi-gcc")
        find_tool(qemu)
        return emulated(board)
    ports = attached(board)
    if not ports:
        raise DeviceError("no board found; connect it or add --emulate")
    raise DeviceError(
        f"{board.name} found at {ports[0]}, but this version cannot flash it; add --emulate"
    )


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sizes = text.split(",")
    if not all(size.strip().isdigit() and int(size) > 0 for size in sizes):
        raise UsageError(f"--input-shape is {text!r}, expected positive sizes as in 1,1,8,8")
    return tuple(map(int, sizes))


def check_names(name: str | None, *files: Path | None) -> None:
    """What can be wrong with options is said before anything takes time."""
    if name is not None:
        check_prefix(name)
    for path in files:
        if path:
            check_writable(path)
