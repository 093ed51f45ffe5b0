# SPDX-License-Identifier: Apache-2.0
"""RESULTS.md from the files that studies keep: every figure with the command that gave it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from microai.checked import Strict, load_json
from microai.over_seeds import Summary, summaries
from microai.report import number
from microai.settings import Experiment, Training
from microai.study import Row

HEAD = """# Results

Written by `microai results`; each table by the command above it, on the data it names. Accuracy is
the mean over the seeds, of all samples judged, by the float rules (`float`) or the integer rules;
`deviation` is its standard deviation over them, `points` how far it is from the float networks of
the same seeds, both in points of a hundred. The target, emulated, ran the stated number of samples
for each row, which its seeds share; `differ` counts its output and layer values that are not those
of the rules. Flash and RAM are of the whole image, instructions of one inference, the largest over
samples and seeds; s is the time that one network took after the float one, which has its own.
"""
COLUMNS = (
    "filters", "format", "seeds", "accuracy %", "deviation", "points", "flash B", "weights B",
    "RAM B", "arena B", "instructions", "per MAC", "differ", "s",
)  # fmt: skip


class Results(Strict):
    """A results.json of `microai train`."""

    kind: Annotated[Literal["microai.study/1"], Field(alias="schema")]
    experiment: Experiment
    command: str
    versions: dict[str, str]
    judged_on: str
    seconds: float
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]


def read_results(path: Path) -> Results:
    """The file, or UsageError."""
    return load_json(path, Results)


def results_page(studies: Sequence[Results]) -> str:
    """The page in Markdown."""
    return "\n".join([HEAD, *map(_section, studies)])


def _section(study: Results) -> str:
    lines = [
        f"## {study.experiment.title}", "", f"    {study.command}", "", _facts(study), "",
        _line(COLUMNS), _line(["---"] + ["---:"] * (len(COLUMNS) - 1)),
    ]  # fmt: skip
    found = summaries(study.rows)
    floats = {each.filters: each.mean for each in found if each.format == "float"}
    lines += [_line(_cells(each, floats[each.filters])) for each in found]
    refused = dict.fromkeys((r.filters, r.format, r.refused) for r in study.rows if r.refused)
    lines += [f"\n{filters} filters, {form}: {why}" for filters, form, why in refused]
    return "\n".join([*lines, ""])


def _facts(study: Results) -> str:
    what, rows = study.experiment, study.rows
    ran = [each.on_target for each in summaries(rows) if each.on_target]
    boards = sorted({row.report["board"] for row in rows if row.report})
    target = (
        f"for each row {max(ran)} of them on emulated {', '.join(boards)}" if ran else "no target"
    )
    tuned = f"; qat: {_training(what.tuning)}" if what.tuning else ""
    versions = ", ".join(f"{name} {version}" for name, version in study.versions.items())
    return (
        f"Judged on {study.judged_on}, {rows[0].samples} samples; {target}. Training: "
        f"{_training(what.training)}{tuned}; {study.seconds:,.0f} s in all. {versions}."
    )


def _training(how: Training) -> str:
    """What differs from doing nothing."""
    return ", ".join(
        f"{name} {'+'.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in how.model_dump().items()
        if value and (name != "factor" or how.milestones)
    )  # fmt: skip


def _cells(each: Summary, floats: float) -> list[str]:
    sizes = (each.flash_bytes, each.weights_bytes, each.ram_bytes, each.arena_bytes)
    points = "-" if each.format == "float" else f"{100 * (each.mean - floats):+.2f}"
    spread = "-" if each.deviation is None else f"{100 * each.deviation:.2f}"
    return [
        str(each.filters), each.format, str(each.seeds), f"{100 * each.mean:.2f}", spread, points,
        *map(number, sizes), number(each.instructions), each.per_mac, number(each.mismatches),
        f"{each.seconds:.0f}",
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
