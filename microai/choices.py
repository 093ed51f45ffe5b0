# SPDX-License-Identifier: Apache-2.0
"""choices.json: which kernel each step of one network takes on one board, as `microai tune` found.

Reading it is a pure function: nothing is measured again. It holds for the network, the board and
the kernels it was measured with, and says so where one of these is another.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from microai.backend import Cost, Kernel
from microai.board import Board
from microai.candidates import Candidate, step_alone
from microai.checked import Strict, load_json
from microai.errors import Tell, UsageError
from microai.graph import Graph
from microai.render import Compiled
from microai.save import model_id

AGAIN = "run `microai tune` again"
VERSION_DIGITS = 16
Goal = Literal["latency", "flash", "ram", "balanced"]
GOALS: tuple[Goal, ...] = ("latency", "flash", "ram", "balanced")


Figures = tuple[int, int, int]
"""Cycles, bytes of flash, bytes of RAM of a whole image."""


def rank(goal: Goal, figures: Figures, least: Figures) -> tuple[float, ...]:
    """Less is better; equal ones are told apart by the other figures. `balanced` adds up the shares
    of the least there can be.
    """
    cycles, flash, ram = figures
    ranks: dict[Goal, tuple[float, ...]] = {
        "latency": (cycles, flash, ram), "flash": (flash, cycles, ram), "ram": (ram, cycles, flash),
        "balanced": (sum(own / best for own, best in zip(figures, least, strict=True)),),
    }  # fmt: skip
    return ranks[goal]


Count = Annotated[int, Field(ge=0, strict=True)]


class Alternative(Strict):
    """A kernel that would do; cycles and sizes of the step alone."""

    kernel: str
    cycles: Count
    flash_bytes: Count
    weights_ram_bytes: Count
    scratch_bytes: Count


class Step(Strict):
    """What one step takes, and why. `version` is of the C that it was timed with."""

    kernel: str
    version: str
    reason: str
    alternatives: tuple[Alternative, ...]


class Whole(Strict):
    """A whole network as built, by a preference of backends or as tuned; predicted."""

    name: str
    instructions: Count
    cycles: Count
    latency_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    flash_bytes: Count
    ram_bytes: Count
    arena_bytes: Count

    @property
    def figures(self) -> Figures:
        """What goals are about."""
        return self.cycles, self.flash_bytes, self.ram_bytes


class Chosen(Strict):
    """The file. Budgets count the whole image, harness included."""

    kind: Annotated[Literal["microai.choices/1"], Field(alias="schema")]
    model: str
    board: str
    clock_hz: Count
    timing: str
    goal: Goal
    flash_budget_bytes: Count
    ram_budget_bytes: Count
    basis: str
    found: Whole
    preferences: tuple[Whole, ...]
    steps: Mapping[str, Step]

    @property
    def kernels(self) -> dict[str, str]:
        """Of each step, by name."""
        return {name: step.kernel for name, step in self.steps.items()}


def by_name(kernels: Mapping[str, str]) -> Cost:
    """The cost that takes each step's named kernel, where it does not refuse."""
    return lambda node, kernel: float(kernel.name != kernels.get(node.name))


def read_choices(path: Path) -> Chosen:
    """The file, or UsageError with all that is wrong with it."""
    return load_json(path, Chosen)


def choices_json(chosen: Chosen) -> bytes:
    """As the file holds them."""
    return chosen.model_dump_json(indent=1, by_alias=True).encode() + b"\n"


def version_of(kernel: Kernel, compiled: Compiled, step: str) -> str:
    """What the C of a step with a kernel is known by."""
    alone = step_alone(compiled.graph, compiled.graph[step])
    return Candidate(step, kernel, alone).version[:VERSION_DIGITS]


def check_model(chosen: Chosen, graph: Graph) -> None:
    """Raise UsageError where the choices are another network's than the one to be rendered."""
    model = model_id(graph)
    if chosen.model != model:
        raise UsageError(
            f"the choices are of model {chosen.model[:12]}, this is {model[:12]} (network, storage "
            f"or weights differ); {AGAIN}"
        )
    if odd := {*chosen.steps} ^ {node.name for node in graph.steps}:
        raise UsageError(f"the choices and the network differ in {', '.join(sorted(odd))}; {AGAIN}")


def check_kernels(chosen: Chosen, compiled: Compiled) -> None:
    """Raise UsageError where steps did not get the kernels that were timed."""
    taken = {name: choice.kernel for name, choice in compiled.choices.items()}
    missing = [n for n, kernel in taken.items() if kernel.name != chosen.steps[n].kernel]
    if missing:
        wanted = ", ".join(f"{chosen.steps[n].kernel} for {n}" for n in missing[:3])
        wanted += f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UsageError(
            f"the choices name kernels that are not there or refuse: {wanted}; name their backends "
            f"with --backend, or {AGAIN}"
        )
    changed = [n for n, kernel in taken.items()
               if version_of(kernel, compiled, n) != chosen.steps[n].version]  # fmt: skip
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UsageError(
            f"kernels have changed since they were timed: those of {', '.join(changed[:3])}{more}; "
            f"{AGAIN}"
        )


def check_board(chosen: Chosen, board: Board, tell: Tell) -> None:
    """Raise UsageError where the choices are for another board, or its timing is another now; tell
    where it runs at another clock than they were timed for.
    """
    if chosen.board != board.name:
        raise UsageError(f"the choices are for {chosen.board}, not for {board.name}; {AGAIN}")
    clock = board.clocks[0]
    if clock.hz != chosen.clock_hz:
        tell(f"the choices were timed at {chosen.clock_hz / 1e6:g} MHz, not {clock.hz / 1e6:g}")
    elif board.timing != chosen.timing:
        raise UsageError(
            f"{board.name} was timed with {chosen.timing}, and has {board.timing}; {AGAIN}"
        )
