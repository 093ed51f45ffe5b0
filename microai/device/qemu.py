# SPDX-License-Identifier: Apache-2.0
"""Run an image in QEMU, and count its instructions.

Or trace it: a plugin then writes what ran, at full speed and without a timer that says anything.

With -icount shift=N an instruction takes 2**N ns of virtual time. The emulated timer counts at
25 MHz, 40 ns a tick: at N = 0 it would resolve 40 instructions, at N = 7 one instruction is 3.2
ticks, so a difference of two readings names the exact count.
"""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from microai.board import Board
from microai.device.build import find_tool
from microai.device.protocol import Link
from microai.device.serial import connect as connect_serial
from microai.errors import LinkError

ICOUNT_SHIFT = 7


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
    with tempfile.TemporaryFile() as log, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [tool, *arguments(elf, board, listener.fileno(), plugin=plugin)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()],
        )  # fmt: skip
        try:
            url, where = f"socket://127.0.0.1:{port}", f"qemu {board.name}"
            with connect_serial(url, where, timeout_s) as link:
                listener.close()  # QEMU has its own; when it dies, the link breaks at once
                yield link
        except LinkError as error:
            raise LinkError(f"{error}; QEMU printed: {_printed(log)!r}") from None
        finally:
            process.kill()
            process.wait()


def arguments(
    elf: Path, board: Board, listener: int, shift: int = ICOUNT_SHIFT, *, plugin: str = ""
) -> list[str]:
    """QEMU's command line; `listener` is a listening socket's descriptor. With a plugin no timer
    counts instructions: that would halve the speed.
    """
    assert board.qemu
    uart = f"socket,id=uart,fd={listener},server=on,wait=on,nodelay=on"
    return [
        "-M", board.qemu.machine, "-nodefaults", "-display", "none",
        "-chardev", uart, "-serial", "chardev:uart",
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
