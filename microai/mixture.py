# SPDX-License-Identifier: Apache-2.0
"""What `--mixed auto` is asked, and what came of it."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from microai.backend import Kernel
from microai.board import Board
from microai.errors import Tell, UsageError
from microai.files import write_file
from microai.fit import check_fit
from microai.graph import apply
from microai.mixing import (
    Noise,
    Search,
    Tried,
    climb,
    descend,
    measure,
    mixed,
    noise_of,
    spelled,
    uniform,
)  # fmt: skip
from microai.passes import FLOAT_PASSES
from microai.pipeline import Recipe, compile_graph
from microai.quantize.scheme import SCHEMES, Scheme, scheme_of
from microai.report import percent
from microai.samples import normalized, spread
from microai.sensitivity import Sensitivity, ranges_of, scan
from microai.source import Source, calibration_reals
from microai.types import Array, Arrays
from microai.verdict import judged

SELECTION = 1000  # labelled samples at most, spread evenly
SCANNED = 200  # of them: noise needs fewer samples than accuracy


@dataclass(frozen=True)
class Wish:
    """Schemes that a layer may have, by name, and how much accuracy may be lost against float."""

    levels: Mapping[str, Scheme]
    max_drop: float


@dataclass(frozen=True)
class Selection:
    """Labelled real samples to choose on, and where they come from."""

    origin: str
    reals: Arrays
    labels: Array

    def fewer(self, count: int) -> "Selection":
        """`count` of them, spread evenly."""
        chosen = spread(len(self.labels), count)
        reals = {name: array[chosen] for name, array in self.reals.items()}
        return Selection(self.origin, reals, self.labels[chosen])


@dataclass(frozen=True)
class Mixture:
    """The mixed network that was chosen, and all that was tried. `base` is the scheme of every
    input and step that `layers` does not name.
    """

    wish: Wish
    selection: Selection
    board: str | None
    float_accuracy: float
    reached: bool
    found: Tried
    base: str
    layers: Mapping[str, str]
    uniform: Mapping[str, Tried]
    tried: tuple[Tried, ...]
    scan: tuple[Sensitivity, ...]

    def recipe(self, kernels: tuple[Kernel, ...]) -> Recipe:
        """To compile it with."""
        levels = self.wish.levels
        named = {name: levels[level] for name, level in self.layers.items()}
        return Recipe(levels[self.base], named, kernels)

    @property
    def options(self) -> str:
        """The same on the command line."""
        layers = (f"--layer={name}={level}" for name, level in self.layers.items())
        how = (text for item in self.wish.levels.items() for text in _options(*item))
        return shlex.join([f"--scheme={self.base}", *dict.fromkeys(how), *layers])

    @property
    def shortfall(self) -> str:
        """Why it is not what was wished for."""
        drop = self.float_accuracy - (self.found.accuracy or 0)
        fitting = f" that fit {self.board}" if any(t.accuracy is None for t in self.tried) else ""
        return (
            f"--max-drop is {self.wish.max_drop:.2%}, the best of the mixed networks{fitting} "
            f"loses {drop:.2%}: {self.found}; allow more, add --levels, or train in integers"
        )

    def to_json(self) -> dict[str, Any]:
        """For mixed.json."""
        return {
            "schema": "microai.mixed/1", "max_drop": self.wish.max_drop,
            "levels": list(self.wish.levels), "board": self.board,
            "selected_on": self.selection.origin, "samples": len(self.selection.labels),
            "float_accuracy": self.float_accuracy, "reached": self.reached,
            "chosen": asdict(self.found), "scheme": self.base, "layers": dict(self.layers),
            "options": self.options,
            "uniform": {name: asdict(one) for name, one in self.uniform.items()},
            "tried": [asdict(one) for one in self.tried],
            "scan": [asdict(one) for one in self.scan],
        }  # fmt: skip

    def to_bytes(self) -> bytes:
        """As a file."""
        return json.dumps(self.to_json(), indent=1).encode()


def _options(name: str, scheme: Scheme) -> Iterable[str]:
    """What the command line says besides the scheme's name."""
    if scheme.rounding != SCHEMES[name].rounding:
        yield f"--rounding={scheme.rounding}"
    if scheme.per_channel != SCHEMES[name].per_channel:
        yield "--per-channel"
    if scheme.ranges != SCHEMES[name].ranges:
        yield f"--ranges={scheme.ranges}"


def choose(
    source: Source, wish: Wish, kernels: tuple[Kernel, ...], board: Board | None, tell: Tell
) -> Mixture:
    """The smallest mixed network found that keeps the wish on the source's labelled samples; where
    none does, the most accurate. DoesNotFitError where none fits the board.
    """
    selection = selected(source, tell)
    search = _search(source, wish, selection, kernels, board)
    exact = judged(search.graph, selection.reals, selection.labels)
    least = exact - wish.max_drop
    tell(f"float network: {percent(exact)} of {len(selection.labels)} samples")
    alike = [measure(search, uniform(search, n), f"all {n}", tell) for n in wish.levels]
    named = sorted(zip(wish.levels, alike, strict=True), key=lambda item: item[1].bytes)
    search = replace(search, levels={name: wish.levels[name] for name, _ in named})
    fewer = selection.fewer(SCANNED)
    scanned = scan(search.graph, search.ranges, search.levels, fewer.reals, fewer.labels, tell)
    tried = _searched(search, [one for _, one in named], noise_of(scanned), least, tell)
    found = best((*alike, *tried), least)
    base, layers = _base(spelled(search, found.state))
    return Mixture(
        wish, selection, board.name if board else None, exact, found.reaches(least), found,
        base, layers, dict(named), tried, scanned,
    )  # fmt: skip


def _search(
    source: Source, wish: Wish, selection: Selection, kernels: tuple[Kernel, ...],
    board: Board | None,
) -> Search:  # fmt: skip
    graph = apply(source.graph, FLOAT_PASSES)
    calibration = calibration_reals(source)
    assert calibration is not None  # the selection at least
    ranges = ranges_of(graph, calibration, wish.levels)
    return Search(graph, wish.levels, ranges, selection.reals, selection.labels, kernels, board)


def _searched(
    search: Search, alike: Sequence[Tried], noise: Noise, least: float, tell: Tell
) -> tuple[Tried, ...]:
    """Up from the cheapest level that fits, then down from the smallest network that does."""
    start = next((one for one in alike if one.accuracy is not None), None)
    if start is None:
        assert search.board
        check_fit(compile_graph(mixed(search, alike[0].state)), search.board)
        raise AssertionError("it fits after all")
    way = climb(search, start, noise, least, tell)
    found = best((*alike, *way), least)
    if not found.reaches(least):
        return way
    return (*way, *descend(search, found, start.state, least, tell))


def best(tried: Sequence[Tried], least: float) -> Tried:
    """The smallest that reaches the least accuracy, of equals the last; or else the most accurate
    of all.
    """
    good = [one for one in tried if one.reaches(least)]
    if good:
        return min(reversed(good), key=lambda one: one.rank)
    run = [(one.accuracy, -one.bytes, i) for i, one in enumerate(tried) if one.accuracy is not None]
    return tried[max(run)[2]]


def _base(named: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The level of most inputs and steps, and those that have another."""
    ((base, _),) = Counter(named.values()).most_common(1)
    return base, {name: level for name, level in named.items() if level != base}


def selected(source: Source, tell: Tell) -> Selection:
    """The labelled samples: those of the calibration set, else those that are run themselves."""
    if source.quantized:
        raise UsageError(
            f"the model is quantized already, as {scheme_of(source.graph)}; "
            "--mixed auto needs a float one"
        )
    if len(source.graph.outputs) > 1:
        count = len(source.graph.outputs)
        raise UsageError(f"--mixed auto measures accuracy, and the network has {count} outputs")
    origin, samples, labels = "calibration", source.calibration, source.calibration_labels
    if labels is None:
        origin, samples, labels = "data", source.samples, source.labels
    if labels is None or samples is None:
        raise UsageError(
            "--mixed auto needs labels to measure accuracy: an array y in --calibration or --data"
        )
    if origin == "data":
        tell("choosing on --data itself; pass a --calibration with labels for an honest accuracy")
    return Selection(origin, normalized(source.graph, samples), labels).fewer(SELECTION)


def mixed_recipe(
    source: Source, wish: Wish, kernels: tuple[Kernel, ...], board: Board | None, record: Path,
    tell: Tell,
) -> Recipe:  # fmt: skip
    """Choose, write all that was tried into `record` and say what was chosen; UsageError, behind
    that, where no mixed network keeps the wish.
    """
    chosen = choose(source, wish, kernels, board, tell)
    write_file(record, lambda file: file.write(chosen.to_bytes()))
    tell(f"all that was tried: {record}")
    if not chosen.reached:
        raise UsageError(chosen.shortfall)
    tell(f"chosen: {chosen.options}")
    tell(f"{chosen.found}; float {percent(chosen.float_accuracy)}")
    return chosen.recipe(kernels)
