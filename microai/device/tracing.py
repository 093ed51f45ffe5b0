# SPDX-License-Identifier: Apache-2.0
"""An image that runs with the plugin of firmware/qemu: a link to it, and what ran."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from microai.board import Board
from microai.device import qemu
from microai.device.plugin import argument
from microai.device.protocol import Link
from microai.device.trace import Window, windows


@dataclass(frozen=True)
class Traced:
    """A running image; `windows` are those of the marks that it has passed so far."""

    link: Link
    file: Path

    def windows(self) -> list[Window]:
        """In order."""
        return windows(self.file.read_text(encoding="ascii"))


@contextmanager
def traced(
    elf: Path, board: Board, program: str, plugin: Path, marks: Iterable[int]
) -> Iterator[Traced]:
    """Start the image in the emulator `program`; DeviceError where that takes no plugins."""
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        file = Path(work) / "trace"
        asked = argument(plugin, file, board.memory.flash, board.cache, marks)
        with qemu.connect(elf, board, program, plugin=asked) as link:
            yield Traced(link, file)
