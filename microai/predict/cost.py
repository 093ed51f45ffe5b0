# SPDX-License-Identifier: Apache-2.0
"""What ran as instructions and cycles: of a layer, of a function, of an inference."""

from collections.abc import Sequence
from dataclasses import dataclass

from microai.board import Board
from microai.device.trace import Activity, Block, Ran, Window, instructions, less, total
from microai.predict.image import Image
from microai.predict.timing import JUMP_CYCLES, Decoder, between, block_cycles

MEASURING = ("timed", "nothing", "port_ticks")
HARNESS = "(harness, less an empty call)"
"""What stands for the functions of the harness that surround a timed call."""


@dataclass(frozen=True)
class Cost:
    """Executed instructions; cycles, None where the board's flash is not known; how many of them
    are waits for flash.
    """

    instructions: int
    cycles: int | None = None
    stall_cycles: int | None = None


@dataclass(frozen=True)
class Inference:
    """One inference in a trace: what ran before the first step, and in each."""

    before: Activity
    steps: tuple[Activity, ...]

    @property
    def whole(self) -> dict[Block, Ran]:
        """All of it."""
        return total([self.before, *self.steps])


def untimed(board: Board) -> str:
    """Why there are no cycles for a board at its first clock; empty where there are."""
    clock = board.clocks[0]
    if clock.wait_states is None:
        return f"no public source for {board.name}'s flash wait states at {clock.hz / 1e6:g} MHz"
    if clock.wait_states and board.cache is None:
        return f"{board.name}'s file describes no [cache] in front of its flash"
    return ""


class Meter:
    """Costs of activities of one image on one board."""

    def __init__(self, image: Image, board: Board) -> None:
        self._image = image
        self._decoder = Decoder(image.code)
        self._waits = None if untimed(board) else board.clocks[0].wait_states

    def cost(self, activity: Activity) -> Cost:
        """Of all blocks."""
        count = instructions(activity)
        if self._waits is None:
            return Cost(count)
        missed = sum(ran.code_missed + ran.data_missed for ran in activity.values())
        stalls = self._waits * missed
        own = sum(self._cycles(block, ran) for block, ran in activity.items())
        return Cost(count, own + stalls, stalls)

    def by_function(self, activity: Activity) -> dict[str, Cost]:
        """The largest first."""
        parts: dict[str, dict[Block, Ran]] = {}
        for block, ran in activity.items():
            name = self._image.function_at(block.start)
            parts.setdefault(HARNESS if name in MEASURING else name, {})[block] = ran
        costs = {name: self.cost(part) for name, part in parts.items()}
        return dict(sorted(costs.items(), key=lambda item: _size(item[1]), reverse=True))

    def _cycles(self, block: Block, ran: Ran) -> int:
        """Without waits for flash. Where a block ends without a jump, as at the end of a page of
        the emulator's, its last instruction meets the next block's first.
        """
        inside = self._decoder.block(block.start, block.instructions)
        cycles = ran.times * block_cycles(inside) + JUMP_CYCLES * ran.taken + ran.parts
        if passed := ran.times - ran.taken:
            end = block.start + sum(insn.size for insn in inside)
            cycles += passed * between(inside[-1], *self._decoder.block(end, 1))
        return cycles


def _size(cost: Cost) -> int:
    return cost.instructions if cost.cycles is None else cost.cycles


def calls(windows: Sequence[Window], ticks: int) -> list[list[Window]]:
    """The windows of each timed call: from a reading of the ticks, the function at `ticks`, to
    the next.
    """
    found: list[list[Window]] = []
    open_call: list[Window] | None = None
    for window in windows:
        if open_call is not None:
            open_call.append(window)
        if window.mark == ticks:
            if open_call is not None:
                found.append(open_call)
            open_call = None if open_call is not None else []
    return found


def inference(
    call: Sequence[Window], nothing: Sequence[Window], starts: Sequence[int | None]
) -> Inference:
    """A timed call by its steps, less an empty call; `starts` are the steps' addresses, None for
    those that the compiler left no function of.
    """
    steps: list[list[Activity]] = [[] for _ in starts]
    step = -1
    for window, then in zip(call[1:], call[:-1], strict=True):
        step = _entered(then.mark, starts, step)
        steps[step].append(window.ran)
    before = less(call[0].ran, total(window.ran for window in nothing))
    return Inference(before, tuple(map(total, steps)))


def _entered(mark: int, starts: Sequence[int | None], last: int) -> int:
    """The step behind `last` that begins at a mark: the one that has this address, or else one
    whose function the compiler has merged with an equal one.
    """
    behind = range(last + 1, len(starts))
    return next(
        (i for i in behind if starts[i] == mark),
        next((i for i in behind if starts[i] is None), last),
    )
