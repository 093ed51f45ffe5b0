# SPDX-License-Identifier: Apache-2.0
"""What the options of a command ask for, or the sentence that says what is wrong with them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from microai.backend import Kernel
from microai.backends import EVERY, kernels
from microai.backends.cmsis_nn import CMSIS_NN, cmsis_nn
from microai.board import Board, emulated, load_board, with_clock
from microai.checked import problems
from microai.choices import GOALS, Chosen, Goal, check_board, read_choices
from microai.device.build import find_tool
from microai.device.cmsis_nn import installed
from microai.device.serial import attached
from microai.errors import DeviceError, Tell, UsageError
from microai.export import FORMATS
from microai.files import check_writable
from microai.mixture import Wish
from microai.names import check_prefix
from microai.options import LEVELS
from microai.pipeline import Recipe
from microai.quantize import scheme as schemes
from microai.settings import Training
from microai.source import Question

MOST_MW = 100_000
TUNING = {"epochs": 10, "learning_rate": 5e-4, "batch": 64, "optimizer": "adam"}


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


def power_of(mw: float | None) -> float | None:
    """Milliwatts, or UsageError."""
    if mw is not None and not 0 < mw < MOST_MW:
        raise UsageError(f"--power-mw is {mw:g}, expected milliwatts between 0 and {MOST_MW}")
    return mw


def choices_of(path: Path | None, board: Board | None, tell: Tell) -> Chosen | None:
    """The file of `microai tune`, for this board; None without one."""
    if path is None:
        return None
    chosen = read_choices(path)
    if board:
        check_board(chosen, board, tell)
    return chosen


def goal_of(name: str) -> Goal:
    """A goal of `microai tune`, or UsageError."""
    for goal in GOALS:
        if goal == name:
            return goal
    raise UsageError(f"--goal is {name!r}, expected {', '.join(GOALS)}")


def recipe_of(
    scheme: str | None, layers: list[str] | None, how: How, kernels: tuple[Kernel, ...],
    chosen: Chosen | None = None,
) -> Recipe:  # fmt: skip
    """How to store the model and with which kernels, or UsageError."""
    own, asked = how.scheme(scheme or "int8"), scheme is not None or how != How()
    named: dict[str, schemes.Scheme] = {}
    for text in layers or []:
        name, _, kind = text.rpartition("=")
        if not name or name in named:
            raise UsageError(f"--layer is {text!r}, expected NAME=SCHEME, once for a name")
        named[name] = how.scheme(kind, f"--layer {name}")
    return Recipe(own if asked else None, named, kernels, chosen)


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


def target_of(name: str, qemu: str, *, emulate: bool, clock: float | None = None) -> Board:
    """The board to build for, at `clock` MHz, once its tools are there; without --emulate a
    DeviceError, since this version flashes nothing.
    """
    board = load_board(name)
    if clock is not None:
        board = with_clock(board, clock)
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
