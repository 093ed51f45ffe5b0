# SPDX-License-Identifier: Apache-2.0
"""Where a network runs."""

from dataclasses import dataclass, field
from pathlib import Path

from microai.board import Board
from microai.paths import cache_dir


@dataclass(frozen=True)
class Job:
    """Where to run, and what to keep: a board as emulated, the emulator's program, a folder for
    the files, and how many samples to run layer by layer as well; what the board draws while
    inferring, and the folder for what can be made again.
    """

    board: Board
    emulator: str = "qemu-system-arm"
    out: Path | None = None
    stepped: int = 20
    power_mw: float | None = None
    cache: Path = field(default_factory=cache_dir)
