# SPDX-License-Identifier: Apache-2.0
"""The best kernel for every step within budgets: dynamic programming along the execution order.

What is kept of a beginning of the network are the layouts of the tensors that are still read and,
for each of these, the costs that no other beginning has all better (a Pareto front). That is exact
on any graph while a front has at most MOST_KEPT entries; beyond, as many go on, spread from the
fastest to the smallest, and the best by the goal.
Costs that can neither break a budget nor decide the goal are left out of the comparison.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from microai.backend import NHWC
from microai.choices import Figures, Goal, rank

MOST_KEPT = 400


@dataclass(frozen=True)
class Option:
    """A kernel for one step: cycles, and bytes of flash, of weights in RAM, of scratch; how it
    reads and writes tensors.
    """

    kernel: str
    cycles: int
    flash_bytes: int
    weights_ram_bytes: int
    scratch_bytes: int
    reads: str = NHWC
    writes: str = NHWC


@dataclass(frozen=True)
class Place:
    """One step of a network: activations that it reads, bytes alive beside its scratch, options."""

    name: str
    inputs: tuple[str, ...]
    live_bytes: int
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Sizes:
    """Bytes of flash and RAM: budgets, or what is there besides steps and arena."""

    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Pick:
    """A whole network: an option for each step, and their costs together; the arena is the
    busiest step's bytes.
    """

    options: tuple[Option, ...] = ()
    cycles: int = 0
    flash_bytes: int = 0
    weights_ram_bytes: int = 0
    arena_bytes: int = 0

    @property
    def ram_bytes(self) -> int:
        """Of weights and arena."""
        return self.weights_ram_bytes + self.arena_bytes

    def then(self, place: Place, option: Option) -> "Pick":
        """With one step more."""
        return Pick(
            (*self.options, option), self.cycles + option.cycles,
            self.flash_bytes + option.flash_bytes,
            self.weights_ram_bytes + option.weights_ram_bytes,
            max(self.arena_bytes, place.live_bytes + option.scratch_bytes),
        )  # fmt: skip


Key = Callable[[Pick], tuple[float, ...]]
Layouts = tuple[tuple[str, str], ...]
"""Of the tensors that are still read, sorted by name."""


def figures(pick: Pick, base: Sizes) -> Figures:
    """Of the image that holds the base too."""
    return (
        pick.cycles, base.flash_bytes + pick.flash_bytes, base.ram_bytes + pick.ram_bytes,
    )  # fmt: skip


def smallest(places: Sequence[Place]) -> Pick:
    """Each cost's least possible, whatever the others."""
    return Pick(
        (), sum(min(o.cycles for o in place.options) for place in places) or 1,
        sum(min(o.flash_bytes for o in place.options) for place in places),
        sum(min(o.weights_ram_bytes for o in place.options) for place in places),
        max(place.live_bytes + min(o.scratch_bytes for o in place.options) for place in places),
    )  # fmt: skip


def search(
    places: Sequence[Place], outputs: Sequence[str], goal: Goal, budget: Sizes, base: Sizes
) -> Pick | None:
    """The best by the goal within the budget, which counts the base too; None where none fits."""
    least = figures(smallest(places), base)

    def key(pick: Pick) -> tuple[float, ...]:
        return rank(goal, figures(pick, base), least)

    free = Sizes(budget.flash_bytes - base.flash_bytes, budget.ram_bytes - base.ram_bytes)
    compared = _compared(places, goal, free)
    places = [replace(place, options=_undominated(place.options)) for place in places]
    fronts: dict[Layouts, list[Pick]] = {(): [Pick()]}
    for index, place in enumerate(places):
        needed = {name for later in places[index + 1 :] for name in later.inputs} | {*outputs}
        grown: dict[Layouts, list[Pick]] = {}
        for layouts, picks in fronts.items():
            for option in place.options:
                after = _after(dict(layouts), place, option, needed)
                if after is not None:
                    grown.setdefault(after, []).extend(p.then(place, option) for p in picks)
        rest = _rest(places[index + 1 :])
        fronts = {
            layouts: _front([p for p in picks if _within(p, rest, free)], compared, key)
            for layouts, picks in grown.items()
        }
    done = tuple(sorted((name, NHWC) for name in {*outputs} & {place.name for place in places}))
    return min(fronts.get(done, []), key=key, default=None)


def _undominated(options: Sequence[Option]) -> tuple[Option, ...]:
    """Without those that another of the same layouts is at least as good as in everything."""
    kept: list[Option] = []
    for option in sorted(options, key=_figures):
        same = (o for o in kept if (o.reads, o.writes) == (option.reads, option.writes))
        rivals = (zip(_figures(o), _figures(option), strict=True) for o in same)
        if not any(all(a <= b for a, b in pairs) for pairs in rivals):
            kept.append(option)
    return tuple(kept)


def _figures(option: Option) -> tuple[int, int, int, int]:
    return option.cycles, option.flash_bytes, option.weights_ram_bytes, option.scratch_bytes


def _after(
    layouts: Mapping[str, str], place: Place, option: Option, needed: set[str]
) -> Layouts | None:
    """Layouts behind a step; None where it does not read its inputs as they lie. What nobody here
    has written, as the network's inputs, lies in NHWC.
    """
    if any(layouts.get(name, NHWC) != option.reads for name in place.inputs):
        return None
    after = {**layouts, place.name: option.writes}
    return tuple(sorted((name, layout) for name, layout in after.items() if name in needed))


def _rest(places: Sequence[Place]) -> Sizes:
    """The least that the steps still to come add."""
    flash = sum(min(o.flash_bytes for o in place.options) for place in places)
    return Sizes(flash, sum(min(o.weights_ram_bytes for o in place.options) for place in places))


def _within(pick: Pick, rest: Sizes, free: Sizes) -> bool:
    """Whether the budget can still be kept."""
    flash = pick.flash_bytes + rest.flash_bytes <= free.flash_bytes
    return flash and pick.ram_bytes + rest.ram_bytes <= free.ram_bytes


Costs = Callable[[Pick], tuple[int, ...]]


def _compared(places: Sequence[Place], goal: Goal, free: Sizes) -> Costs:
    """The costs that matter: cycles always, bytes where they may break a budget or are the goal."""
    flash = sum(max(o.flash_bytes for o in place.options) for place in places)
    weights = sum(max(o.weights_ram_bytes for o in place.options) for place in places)
    arena = max(p.live_bytes + max(o.scratch_bytes for o in p.options) for p in places)
    by_flash = flash > free.flash_bytes or goal in ("flash", "balanced")
    by_ram = weights + arena > free.ram_bytes or goal in ("ram", "balanced")

    def costs(pick: Pick) -> tuple[int, ...]:
        found = [pick.cycles]
        found += [pick.flash_bytes] if by_flash else []
        found += [pick.weights_ram_bytes, pick.arena_bytes] if by_ram else []
        return tuple(found)

    return costs


def _front(picks: list[Pick], costs: Costs, key: Key) -> list[Pick]:
    """Those that no other is at least as good as in every cost; of equals the best by the goal."""
    ranked = sorted(picks, key=lambda pick: (costs(pick), key(pick)))
    kept: list[Pick] = []
    rows = np.empty((len(ranked), len(costs(Pick()))), np.int64)
    for pick in ranked:
        row = costs(pick)
        if not (rows[: len(kept)] <= row).all(axis=1).any():
            rows[len(kept)] = row
            kept.append(pick)
    if len(kept) <= MOST_KEPT:
        return kept
    spread = kept[:: -(-len(kept) // MOST_KEPT)]  # from the fastest to the smallest
    return [*spread, min(kept, key=key)]
