# SPDX-License-Identifier: Apache-2.0
"""choices.json: which kernel each step of one network takes on one board, as `microai tune` found.

Reading it is a pure function: nothing is measured again. It holds for the network, the board and
the kernels it was measured with, and says so where one of these is another.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from microai.backend import Choices, Cost, Kernel
from microai.board import Board
from microai.checked import Strict, load_json
from microai.errors import UsageError
from microai.graph import Graph
from microai.render import kernel_sources
from microai.save import model_id
from microai.types import Array

AGAIN = "run `microai tune` again"
VERSION_DIGITS = 16
Goal = Literal["latency", "flash", "ram", "balanced"]


class Alternative(Strict):
    """A kernel that would do; cycles and sizes of the step alone."""

    kernel: str
    cycles: int
    flash_bytes: int
    weights_ram_bytes: int
    scratch_bytes: int


class Step(Strict):
    """What one step takes, and why. `version` is of the C that it was measured with."""

    kernel: str
    version: str
    reason: str
    alternatives: tuple[Alternative, ...]


class Whole(Strict):
    """A whole network as built: its kernels' preference or `tuned`, predicted."""

    name: str
    cycles: int
    latency_ms: float
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int


class Chosen(Strict):
    """The file."""

    schema_: Literal["microai.choices/1"]
    model: str
    board: str
    clock_hz: int
    goal: Goal
    flash_budget_bytes: int
    ram_budget_bytes: int
    basis: str
    found: Whole
    preferences: tuple[Whole, ...]
    steps: Mapping[str, Step]
