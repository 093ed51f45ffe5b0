# SPDX-License-Identifier: Apache-2.0
"""The best kernels of a network on a board: every candidate timed alone, the search over all of
them, and the whole network built, run and compared with what fixed preferences give.

Sizes of steps nearly add up; the image that is built has the last word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microai.backend import Cost, Kernel, by_preference
from microai.backends.variants import variants
from microai.board import Board
from microai.candidates import Candidate, candidates
from microai.choices import VERSION_DIGITS, Alternative, Chosen, Goal, Step, Whole, by_name, rank
from microai.device.plugin import trace_plugin
from microai.errors import DeviceError, DoesNotFitError, Tell, UsageError
from microai.interpret import interpret
from microai.job import Job
from microai.pipeline import compile_steps
from microai.plan import live_bytes
from microai.predict.cost import untimed
from microai.predict.prediction import basis_of
from microai.render import Compiled
from microai.save import model_id
from microai.search import Option, Pick, Place, Sizes, figures, search, smallest
from microai.timings import Timing, timings
from microai.trials import Built, whole
from microai.types import Array

TUNED = "tuned"
ENDLESS = Sizes(1 << 40, 1 << 40)
MOST_TRIES = 12  # of images that turn out larger than the sum of their steps


@dataclass(frozen=True)
class Tuning:
    """What is asked: kernels in order of preference, the goal, what the image may take."""

    kernels: tuple[Kernel, ...]
    goal: Goal
    budget: Sizes


def choose(
    compiled: Compiled, sample: Mapping[str, Array], tuning: Tuning, job: Job, tell: Tell
) -> Chosen:
    """The best by the goal within the budget; DoesNotFitError where nothing is. `compiled` is the
    network with any kernels, `sample` (1, ...) as it stores its inputs.
    """
    check_timed(job.board)
    trace_plugin(job.cache)
    network = _Network(compiled, sample, tuning, job, tell)
    preferences = network.preferences()
    found = list(candidates(compiled.graph, variants(tuning.kernels)))
    tell(f"{len(found)} kernels for {len(compiled.graph.steps)} steps")
    values = interpret(compiled.graph, network.sample)
    timed = timings(found, values, job, tell)
    options = _options(compiled, found, timed)
    best = network.best(options, preferences)
    return _chosen(network, options, found, best, preferences)


def check_timed(board: Board) -> None:
    """Raise DeviceError for a board whose cycles cannot be predicted."""
    if why := untimed(board):
        raise DeviceError(f"nothing to choose by: {why}; tune for a board whose timing is known")


def budget_of(board: Board, flash_bytes: int | None, ram_bytes: int | None) -> Sizes:
    """What may be taken: the board's memory where nothing less is asked for."""
    memory = board.memory
    for name, asked, there in (
        ("--flash", flash_bytes, memory.flash.bytes), ("--ram", ram_bytes, memory.ram.bytes),
    ):  # fmt: skip
        if asked and asked > there:
            raise UsageError(f"{name} is {asked:,}, {board.name} has {there:,} bytes")
    return Sizes(flash_bytes or memory.flash.bytes, ram_bytes or memory.ram.bytes)


Options = Mapping[str, tuple[Option, ...]]
"""Of each step."""


def _options(
    compiled: Compiled, found: Sequence[Candidate], timed: Sequence[Timing]
) -> dict[str, tuple[Option, ...]]:
    options: dict[str, tuple[Option, ...]] = {node.name: () for node in compiled.graph.steps}
    for candidate, timing in zip(found, timed, strict=True):
        kernel = candidate.kernel
        option = Option(
            kernel.name, timing.cycles, timing.flash_bytes, timing.weights_ram_bytes,
            candidate.scratch_bytes, kernel.reads, kernel.writes,
        )  # fmt: skip
        options[candidate.step] += (option,)
    return options


@dataclass(frozen=True)
class _Network:
    """One network on one board."""

    compiled: Compiled
    sample: Mapping[str, Array]
    tuning: Tuning
    job: Job
    tell: Tell

    def preferences(self) -> list[Built]:
        """The network with each backend first, the others behind it as they were."""
        kernels = self.tuning.kernels
        names = list(dict.fromkeys(kernel.backend for kernel in kernels))
        found = []
        for first in names:
            order = sorted(kernels, key=lambda kernel: kernel.backend != first)
            backends = ",".join(dict.fromkeys(kernel.backend for kernel in order))
            found.append(self._built(backends, order, by_preference(order)))
        return found

    def tuned(self, kernels: Mapping[str, str]) -> Built:
        """The network with named kernels."""
        return self._built(TUNED, variants(self.tuning.kernels), by_name(kernels))

    def _built(self, name: str, kernels: Sequence[Kernel], cost: Cost) -> Built:
        own = self.compiled
        compiled = compile_steps(own.source, own.graph, own.name, kernels, cost)
        found = whole(name, compiled, self.sample, self.job)
        self.tell(
            f"{name}: {found.cycles:,} cycles, flash {found.flash_bytes:,} B, "
            f"RAM {found.ram_bytes:,} B"
        )
        return Built(compiled, found)

    def best(self, options: Options, preferences: Sequence[Built]) -> Built:
        """The search's pick, or a preference where that is better, as built."""
        base = self._base(options, preferences[0])
        places = self._places(options)
        budget, built = self.tuning.budget, list(preferences)
        for _ in range(MOST_TRIES):
            pick = search(places, self.compiled.graph.outputs, self.tuning.goal, budget, base)
            if pick is None:
                break
            one = self.tuned(_named(places, pick))
            built.append(one)
            over = self._over(one.whole)
            if over == Sizes(0, 0):
                break
            budget = Sizes(budget.flash_bytes - over.flash_bytes, budget.ram_bytes - over.ram_bytes)
        fitting = [one for one in built if self._over(one.whole) == Sizes(0, 0)]
        if not fitting:
            least = [self._least("flash", places, base), self._least("ram", places, base)]
            fitting = [one for one in least if self._over(one.whole) == Sizes(0, 0)]
            if not fitting:
                raise self._too_large(*(one.whole for one in least))
        best = figures(smallest(places), base)
        return min(fitting, key=lambda one: rank(self.tuning.goal, one.whole.figures, best))

    def _base(self, options: Options, built: Built) -> Sizes:
        """What the image holds besides its steps and arena."""
        taken = [next(o for o in options[step] if o.kernel == name)
                 for step, name in built.kernels.items()]  # fmt: skip
        steps = sum(option.flash_bytes for option in taken)
        weights = sum(option.weights_ram_bytes for option in taken)
        arena = built.whole.arena_bytes
        return Sizes(built.whole.flash_bytes - steps, built.whole.ram_bytes - arena - weights)

    def _places(self, options: Options) -> list[Place]:
        graph, live = self.compiled.graph, live_bytes(self.compiled.graph)
        activations = {node.name for node in graph.nodes} - {*graph.weights}
        return [
            Place(node.name, tuple(n for n in node.inputs if n in activations), alive,
                  options[node.name])
            for node, alive in zip(graph.steps, live, strict=True)
        ]  # fmt: skip

    def _over(self, found: Whole) -> Sizes:
        """Bytes beyond the budget."""
        budget = self.tuning.budget
        return Sizes(
            max(0, found.flash_bytes - budget.flash_bytes),
            max(0, found.ram_bytes - budget.ram_bytes),
        )

    def _least(self, goal: Goal, places: Sequence[Place], base: Sizes) -> Built:
        """The least of flash or RAM that there is, without budgets."""
        pick = search(places, self.compiled.graph.outputs, goal, ENDLESS, base)
        assert pick
        return self.tuned(_named(places, pick))

    def _too_large(self, flash: Whole, ram: Whole) -> DoesNotFitError:
        budget = self.tuning.budget
        return DoesNotFitError(
            f"{self.compiled.name} with no choice of kernels fits {budget.flash_bytes:,} B of "
            f"flash and {budget.ram_bytes:,} B of RAM together: the least flash is "
            f"{flash.flash_bytes:,} B, with {flash.ram_bytes:,} B of RAM, the least RAM "
            f"{ram.ram_bytes:,} B, with {ram.flash_bytes:,} B of flash; allow more, or take fewer "
            "channels"
        )


def _named(places: Sequence[Place], pick: Pick) -> dict[str, str]:
    pairs = zip(places, pick.options, strict=True)
    return {place.name: option.kernel for place, option in pairs}


def _chosen(
    network: _Network, options: Options, found: Sequence[Candidate], best: Built,
    preferences: Sequence[Built],
) -> Chosen:  # fmt: skip
    board, budget = network.job.board, network.tuning.budget
    versions = {(one.step, one.kernel.name): one.version[:VERSION_DIGITS] for one in found}
    steps = {
        name: Step(
            kernel=kernel, version=versions[name, kernel],
            reason=_reason(options[name], kernel, network.tuning.goal),
            alternatives=tuple(_alternative(option) for option in options[name]),
        )
        for name, kernel in best.kernels.items()
    }  # fmt: skip
    return Chosen.model_validate({
        "schema": "microai.choices/1", "model": model_id(network.compiled.graph),
        "board": board.name, "clock_hz": board.clocks[0].hz, "timing": board.timing,
        "goal": network.tuning.goal,
        "flash_budget_bytes": budget.flash_bytes, "ram_budget_bytes": budget.ram_bytes,
        "basis": basis_of(board), "found": best.whole,
        "preferences": tuple(one.whole for one in preferences), "steps": steps,
    })  # fmt: skip


def _alternative(option: Option) -> Alternative:
    return Alternative(
        kernel=option.kernel, cycles=option.cycles, flash_bytes=option.flash_bytes,
        weights_ram_bytes=option.weights_ram_bytes, scratch_bytes=option.scratch_bytes,
    )  # fmt: skip


def _reason(options: Sequence[Option], kernel: str, goal: Goal) -> str:
    """What it is among those that would do."""
    taken = next(option for option in options if option.kernel == kernel)
    fastest = min(options, key=lambda option: option.cycles)
    rivals = f"of {len(options)}"
    if taken.cycles == fastest.cycles:
        return f"fastest {rivals}: {taken.cycles:,} cycles"
    why = "the budgets, or the whole image, decide" if goal == "latency" else f"the goal is {goal}"
    ram = fastest.weights_ram_bytes + fastest.scratch_bytes
    return (
        f"{taken.cycles:,} cycles; {fastest.kernel}, fastest {rivals}, takes {fastest.cycles:,}, "
        f"{fastest.flash_bytes:,} B of flash and {ram:,} of RAM: {why}"
    )
