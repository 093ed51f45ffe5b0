# SPDX-License-Identifier: Apache-2.0
"""Run an image in QEMU, and count its instructions.

Or trace it: a plugin then writes what ran, at full speed and without a timer that says anything.

With -icount shift=N an instruction takes 2**N ns of virtual time. The emulated timer counts at
25 MHz, 40 ns a tick: at N = 0 it would resolve 40 instructions, at N = 7 one instruction is 3.2
ticks, so a difference of two readings names the exact count.

Tensors do not go through the emulated serial port, which takes 20 kB/s: the machine's RAM is a file
that both sides map.
"""

import mmap
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from microai.board import Board
from microai.device.build import find_tool
from microai.device.host import SocketStream
from microai.device.protocol import Link
from microai.errors import LinkError

ICOUNT_SHIFT = 7


@dataclass
class SharedLink(Link):
    """A link whose target's RAM is here as well, as `memory`; `find` says where in it the arena
    begins, once that is asked for.
    """

    memory: mmap.mmap | None = None
    find: Callable[[], int] = lambda: 0

    @cached_property
    def _arena(self) -> int:
        return self.find()

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes into the arena."""
        assert self.memory
        start = self._arena + offset
        self.memory[start : start + len(data)] = data

    def read(self, offset: int, size: int) -> bytes:
        """Get bytes from the arena."""
        assert self.memory
        start = self._arena + offset
        return self.memory[start : start + size]


def arena_address(elf: Path) -> int:
    """Where the harness keeps its models' activations: what its pointer of that name says."""
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        symbols = parsed.get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        found = symbols.get_symbol_by_name("harness_arena")
        assert found, "every harness has it"
        (pointer,) = found
        section = parsed.get_section(pointer["st_shndx"])
        start = pointer["st_value"] - section["sh_addr"]
        return int.from_bytes(section.data()[start : start + 4], "little")


@contextmanager
def connect(
    elf: Path, board: Board, qemu: str = "qemu-system-arm", timeout_s: float = 20.0,
    *, plugin: str = "",
) -> Iterator[Link]:  # fmt: skip
    """Start the image; the link is its serial port over a socket. `plugin` is a TCG plugin with
    its arguments, as QEMU takes them.
    """
    assert board.qemu, "pass the board through emulated() first"
    tool = find_tool(qemu)
    with (
        tempfile.TemporaryFile() as log, tempfile.NamedTemporaryFile(prefix="microai-") as ram,
        socket.socket() as listener,
    ):  # fmt: skip
        ram.truncate(board.qemu.ram_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [tool, *arguments(elf, board, listener.fileno(), Path(ram.name), plugin=plugin)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()],
        )  # fmt: skip
        try:
            with socket.create_connection(("127.0.0.1", port)) as end:
                listener.close()  # QEMU has its own; when it dies, the link breaks at once
                with mmap.mmap(ram.fileno(), board.qemu.ram_bytes) as memory:
                    origin = board.memory.ram.origin
                    yield SharedLink(
                        SocketStream(end), f"qemu {board.name}", timeout_s, memory=memory,
                        find=lambda: arena_address(elf) - origin,
                    )  # fmt: skip
        except LinkError as error:
            raise LinkError(f"{error}; QEMU printed: {_printed(log)!r}") from None
        finally:
            process.kill()
            process.wait()


def arguments(
    elf: Path,
    board: Board,
    listener: int,
    ram: Path,
    shift: int = ICOUNT_SHIFT,
    *,
    plugin: str = "",
) -> list[str]:
    """QEMU's command line; `listener` is a listening socket's descriptor. With a plugin no timer
    counts instructions: that would halve the speed.
    """
    assert board.qemu
    uart = f"socket,id=uart,fd={listener},server=on,wait=on,nodelay=on"
    shared = f"memory-backend-file,id=ram,size={board.qemu.ram_bytes},mem-path={ram},share=on"
    return [
        "-M", f"{board.qemu.machine},memory-backend=ram", "-object", shared, "-nodefaults",
        "-display", "none", "-chardev", uart, "-serial", "chardev:uart",
        *(["-plugin", plugin] if plugin else ["-icount", f"shift={shift}"]), "-kernel", str(elf),
    ]  # fmt: skip


def instructions(ticks: int, nothing: int, board: Board) -> int:
    """Executed instructions of a timed call, less those of an empty one (`nothing`)."""
    return _count(ticks, board) - _count(nothing, board)


def _count(ticks: int, board: Board) -> int:
    assert board.qemu
    return round(ticks * 1e9 / board.qemu.timer_hz / (1 << ICOUNT_SHIFT))


def _printed(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    said = [line for line in lines if "QEMU waiting for connection" not in line]
    return " | ".join(said[:3])[:500]  # a fatal error comes first, then registers
