# SPDX-License-Identifier: Apache-2.0
"""Boards as data: one TOML file each, checked when read, every problem in one message.

Every fact of a real chip names its source; a fact without one is left out.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from microai.checked import Strict, load_toml
from microai.errors import UsageError
from microai.paths import data_dir

Bytes = Annotated[int, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class Region(Strict):
    """A span of addresses."""

    origin: Annotated[int, Field(ge=0)]
    bytes: Bytes
    source: Text


class Memory(Strict):
    """What a program may fill."""

    flash: Region
    ram: Region


class Clock(Strict):
    """A core clock the board runs at, and the flash wait states it needs there."""

    hz: Bytes
    wait_states: Annotated[int, Field(ge=0)] | None = None
    source: Text


class Cache(Strict):
    """The cache between core and flash."""

    instruction_bytes: Bytes | None = None
    data_bytes: Bytes | None = None
    unified_bytes: Bytes | None = None
    line_bytes: Bytes
    source: Text


class Serial(Strict):
    """The UART that reaches the host; `usb_ids` are VID:PID of the adapter on the board."""

    uart: Text
    tx: Text
    rx: Text
    usb_ids: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")], ...] = ()
    source: Text


class Qemu(Strict):
    """How QEMU emulates this board; `timer_hz` is the rate of the port's tick counter."""

    machine: Text
    timer_hz: Bytes
    source: Text


class Board(Strict):
    """A board, real or emulated. `port` is the file in firmware/ports, once there is one."""

    name: Text
    title: Text
    chip: Text
    cpu: Literal["cortex-m4f"]
    memory: Memory
    clocks: tuple[Clock, ...]
    port: str | None = None
    cache: Cache | None = None
    serial: Serial | None = None
    emulator: str | None = None
    qemu: Qemu | None = None


def board_names() -> tuple[str, ...]:
    """Every shipped board."""
    return tuple(sorted(path.stem for path in data_dir("boards").glob("*.toml")))


def load_board(name: str) -> Board:
    """A shipped board by name, or any file that ends in .toml."""
    path = Path(name) if name.endswith(".toml") else data_dir("boards") / f"{name}.toml"
    if name.endswith(".toml") and not path.is_file():
        raise UsageError(f"{name}: no such file")
    if not path.is_file():
        raise UsageError(f"unknown board {name!r}; boards: {', '.join(board_names())}")
    board = load_toml(path, Board)
    if board.name != path.stem:
        raise UsageError(f"{path.name}: name is {board.name!r}, expected {path.stem!r}")
    return board


def emulated(board: Board) -> Board:
    """The board as its emulator runs it: the emulator's addresses and port, the board's sizes."""
    if board.qemu:
        return board
    if not board.emulator:
        raise UsageError(f"{board.name} names no emulator; drop --emulate")
    host = load_board(board.emulator)
    memory = Memory(
        flash=_sized(host.memory.flash, board.memory.flash, board.name),
        ram=_sized(host.memory.ram, board.memory.ram, board.name),
    )
    return board.model_copy(update={"memory": memory, "port": host.port, "qemu": host.qemu})


def _sized(host: Region, real: Region, name: str) -> Region:
    if real.bytes > host.bytes:
        raise UsageError(f"{name}: {real.bytes} bytes of memory, the emulator has {host.bytes}")
    return host.model_copy(update={"bytes": real.bytes})
