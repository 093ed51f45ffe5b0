# SPDX-License-Identifier: Apache-2.0
"""What ran, as firmware/qemu/trace.c writes it: blocks of instructions between marks."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

from microai.errors import DeviceError


@dataclass(frozen=True)
class Block:
    """Instructions that run one after the other, by the address of the first."""

    start: int
    instructions: int


@dataclass(frozen=True)
class Ran:
    """How often a block ran and was left by a jump; sectors of flash that its fetches and data
    accesses missed; further parts that its unaligned accesses were cut into.
    """

    times: int
    taken: int
    code_missed: int
    data_missed: int
    parts: int

    def __add__(self, other: "Ran") -> "Ran":
        return Ran(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __neg__(self) -> "Ran":
        return Ran(*(-count for count in astuple(self)))


NOTHING = Ran(0, 0, 0, 0, 0)
Activity = Mapping[Block, Ran]


@dataclass(frozen=True)
class Window:
    """What ran until a mark's instruction, since the mark before."""

    ran: Activity
    mark: int


def windows(text: str) -> list[Window]:
    """The windows of a trace, in order."""
    blocks: dict[str, Block] = {}
    ran: dict[Block, Ran] = {}
    found = []
    for line in text.splitlines():
        kind, first, *rest = line.split()
        numbers = list(map(int, rest))
        if kind == "block":
            blocks[first] = Block(*numbers)
        elif kind == "ran":
            ran[blocks[first]] = Ran(*numbers)
        elif kind == "mark":
            found.append(Window(ran, int(first)))
            ran = {}
        else:
            raise DeviceError(f"the trace says {line!r}, expected block, ran or mark")
    return found


def total(activities: Iterable[Activity]) -> dict[Block, Ran]:
    """Several activities as one."""
    summed: dict[Block, Ran] = {}
    for activity in activities:
        for block, ran in activity.items():
            summed[block] = summed.get(block, NOTHING) + ran
    return summed


def instructions(activity: Activity) -> int:
    """How many ran."""
    return sum(block.instructions * ran.times for block, ran in activity.items())


def less(activity: Activity, other: Activity) -> dict[Block, Ran]:
    """What is left without `other`; counts may be negative."""
    return total([activity, {block: -ran for block, ran in other.items()}])
