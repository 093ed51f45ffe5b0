# SPDX-License-Identifier: Apache-2.0
"""Boards as data: one TOML file each, checked when read, every problem in one message.

Every fact of a real chip names its source; a fact without one is left out.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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
    """The cache between core and flash: least recently used lines go first. A miss reads
    `sector_bytes`, or a whole line; `ways` is how many lines an address may be in, or all.
    """

    instruction_bytes: Bytes | None = None
    data_bytes: Bytes | None = None
    unified_bytes: Bytes | None = None
    line_bytes: Bytes
    sector_bytes: Bytes | None = None
    ways: Bytes | None = None
    source: Text

    @model_validator(mode="after")
    def whole(self) -> Self:
        """Lines of whole sectors, caches of whole lines, lines in whole sets."""
        if self.line_bytes % self.sector:
            raise ValueError(f"line_bytes {self.line_bytes} is no multiple of sector_bytes")
        sizes = [self.instruction_bytes, self.data_bytes, self.unified_bytes]
        for size in filter(None, sizes):
            if size % (self.line_bytes * (self.ways or 1)):
                raise ValueError(f"{size} bytes are no whole number of lines and ways")
        if self.unified_bytes and (self.instruction_bytes or self.data_bytes):
            raise ValueError("unified_bytes stands alone")
        return self

    @property
    def sector(self) -> int:
        """Bytes that a miss reads."""
        return self.sector_bytes or self.line_bytes


class Power(Strict):
    """What the board was measured to draw while inferring, at one clock."""

    hz: Bytes
    mw: Annotated[float, Field(gt=0)]
    supply: Text
    source: Text


class Checked(Strict):
    """Measured latencies that predictions for this board were held against, at one clock. `rules`
    is a digest of what made them: tests/test_boards.py says of which files, and that it is theirs.
    """

    hz: Bytes
    wait_states: Annotated[int, Field(ge=0)]
    rules: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    what: Text
    source: Text


class Serial(Strict):
    """The UART that reaches the host; `usb_ids` are VID:PID of the adapter on the board."""

    uart: Text
    tx: Text
    rx: Text
    usb_ids: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")], ...] = ()
    source: Text


class Qemu(Strict):
    """How QEMU emulates this board; `timer_hz` is the rate of the port's tick counter. The
    machine's memory of `ram_bytes`, which begins with the board's RAM, is shared with the host.
    """

    machine: Text
    timer_hz: Bytes
    ram_bytes: Bytes
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
    power: tuple[Power, ...] = ()
    checked: Checked | None = None
    emulator: str | None = None
    qemu: Qemu | None = None

    @property
    def timing(self) -> str:
        """All that cycles depend on, at the first clock."""
        clock = self.clocks[0]
        cache = self.cache and self.cache.model_dump(exclude={"source"})
        return f"{clock.hz} Hz, {clock.wait_states} wait states, cache {cache}"

    @property
    def known_error(self) -> str:
        """How far predictions were off at the first clock; empty where that is not known."""
        clock, checked = self.clocks[0], self.checked
        same = checked and (checked.hz, checked.wait_states) == (clock.hz, clock.wait_states)
        return checked.what if checked and same else ""


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


def with_clock(board: Board, mhz: float) -> Board:
    """The board with this of its clocks first: the one that predictions are for."""
    chosen = [clock for clock in board.clocks if abs(clock.hz - mhz * 1e6) < 1]
    if not chosen:
        known = ", ".join(f"{clock.hz / 1e6:g}" for clock in board.clocks)
        raise UsageError(f"--clock is {mhz:g} MHz; {board.name} runs at {known}")
    others = [clock for clock in board.clocks if clock not in chosen]
    return board.model_copy(update={"clocks": (*chosen, *others)})


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
