# SPDX-License-Identifier: Apache-2.0
"""The search finds what trying everything finds."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import microai.search as search_module
from microai.backend import NHWC
from microai.choices import rank
from microai.search import Option, Pick, Place, Sizes, figures, search, smallest

BASE = Sizes(1000, 200)
ROOM = Sizes(1 << 30, 1 << 30)
GOALS = ("latency", "flash", "ram", "balanced")
GRAPHS = {
    "chain": {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)},
    "residual": {"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")},
    "diamond": {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    "two ends": {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)},
}
ENDS = {"two ends": ("c", "d")}


def places(name: str, seed: int, count: int = 4) -> list[Place]:
    """Random options; a third of the tensors lie in another layout."""
    random = np.random.default_rng(seed)

    def layout() -> str:
        return "words" if random.random() < 1 / 3 else NHWC

    def option(i: int) -> Option:
        cycles, flash, ram, scratch = (int(n) for n in random.integers(1, 60, 4))
        return Option(f"k{i}", cycles, flash, ram, scratch, layout(), layout())

    def plain(i: int) -> Option:  # so that something always goes together
        return replace(option(i), reads=NHWC, writes=NHWC)

    return [
        Place(step, inputs, int(random.integers(0, 90)),
              (plain(0), *(option(i) for i in range(1, count))))
        for step, inputs in GRAPHS[name].items()
    ]  # fmt: skip


def key_of(found: list[Place], goal: str):
    least = figures(smallest(found), BASE)
    return lambda pick: rank(goal, figures(pick, BASE), least)


def everything(found: list[Place], ends: tuple[str, ...], budget: Sizes) -> list[Pick]:
    """Every combination that goes together and fits."""
    picks = []
    for options in product(*(place.options for place in found)):
        writes = {place.name: o.writes for place, o in zip(found, options, strict=True)}
        reads = all(
            writes[name] == option.reads
            for place, option in zip(found, options, strict=True)
            for name in place.inputs
        )
        if not reads or any(writes[end] != NHWC for end in ends):
            continue
        pick = Pick()
        for place, option in zip(found, options, strict=True):
            pick = pick.then(place, option)
        flash, ram = BASE.flash_bytes + pick.flash_bytes, BASE.ram_bytes + pick.ram_bytes
        if flash <= budget.flash_bytes and ram <= budget.ram_bytes:
            picks.append(pick)
    return picks


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_exact(name: str, goal: str) -> None:
    """With room, and with budgets that only some, one or none keeps."""
    for seed in range(6):
        found = places(name, seed)
        ends = ENDS.get(name, ("d",))
        key = key_of(found, goal)
        least = min(everything(found, ends, ROOM), key=lambda pick: pick.flash_bytes)
        tight = Sizes(BASE.flash_bytes + least.flash_bytes, 1 << 30)
        for budget in (ROOM, Sizes(1110, 1 << 30), Sizes(1120, 340), tight, Sizes(1005, 205)):
            pick = search(found, ends, goal, budget, BASE)
            best = min(map(key, everything(found, ends, budget)), default=None)
            assert (pick and key(pick)) == best, (seed, budget)


def test_a_full_front_goes_on_with_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found then still fits, and is no worse than the best beginning of each goal."""
    found = places("chain", 3, 12)
    exact = search(found, ("d",), "balanced", ROOM, BASE)
    monkeypatch.setattr(search_module, "MOST_KEPT", 2)
    near = search(found, ("d",), "balanced", ROOM, BASE)
    key = key_of(found, "balanced")
    assert key(exact) <= key(near) < (1.5 * key(exact)[0],)


def test_the_arena_is_the_busiest_steps() -> None:
    """Scratch counts beside what is alive, weights in RAM add up."""
    one = Place("a", (), 100, (Option("x", 1, 2, 30, 40),))
    two = Place("b", ("a",), 120, (Option("y", 1, 2, 30, 10),))
    pick = search([one, two], ("b",), "latency", ROOM, BASE)
    assert (pick.arena_bytes, pick.weights_ram_bytes, pick.ram_bytes) == (140, 60, 200)


def test_an_input_may_be_an_output() -> None:
    """No step writes it, so it has no layout to be chosen."""
    one = Place("a", ("x",), 100, (Option("k", 1, 2, 0, 0),))
    assert search([one], ("a", "x"), "latency", ROOM, BASE).options == one.options
