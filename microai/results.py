# SPDX-License-Identifier: Apache-2.0
"""RESULTS.md from the files that studies keep: every figure with the command that gave it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microai.errors import UsageError
from microai.over_seeds import Summary, summaries
from microai.report import number
from microai.study import Row

HEAD = """# Results

Written by `microai results`; each table by the command above it, on the data it names. Accuracy is
the mean over the seeds, of all samples judged, by the float rules (`float`) or the integer rules;
`points` is how far that is from the float networks of the same seeds. The target, emulated, ran the
stated number of samples; `differ` counts its output and layer values that are not those of the
rules. Flash and RAM are of the whole image, instructions of one inference, the largest over samples
and seeds; s is the training of one network.
"""
COLUMNS = (
    "filters", "format", "seeds", "accuracy %", "deviation", "points", "flash B", "weights B",
    "RAM B", "arena B", "instructions", "per MAC", "differ", "s",
)  # fmt: skip


def read_results(path: Path) -> dict[str, Any]:
    """A results.json of `microai train`, or UsageError."""
    try:
        study = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(study, dict) or study.get("schema") != "microai.study/1":
            raise UsageError(f"{path}: not the results.json of a `microai train`")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: damaged: {error}") from None
    return study


def results_page(studies: Sequence[dict[str, Any]]) -> str:
    """The page in Markdown."""
    return "\n".join([HEAD, *map(_section, studies)])


def _section(study: dict[str, Any]) -> str:
    what, rows = study["experiment"], [Row(**row) for row in study["rows"]]
    lines = [
        f"## {what['title']}", "", f"    {study['command']}", "", _facts(study, rows), "",
        _line(COLUMNS), _line(["---"] + ["---:"] * (len(COLUMNS) - 1)),
    ]  # fmt: skip
    found = summaries(rows)
    floats = {each.filters: each.mean for each in found if each.format == "float"}
    lines += [_line(_cells(each, floats[each.filters])) for each in found]
    refused = dict.fromkeys((row.filters, row.format, row.refused) for row in rows if row.refused)
    lines += [f"\n{filters} filters, {form}: {why}" for filters, form, why in refused]
    return "\n".join([*lines, ""])


def _facts(study: dict[str, Any], rows: list[Row]) -> str:
    what, ran = study["experiment"], [row.report["samples"] for row in rows if row.report]
    boards = sorted({row.report["board"] for row in rows if row.report})
    target = f"{max(ran)} of them on emulated {', '.join(boards)}" if ran else "no target"
    training, tuning = what["training"], what["tuning"]
    tuned = f"; qat: {_training(tuning)}" if tuning else ""
    versions = ", ".join(f"{name} {version}" for name, version in study["versions"].items())
    return (
        f"Judged on {study['judged_on']}, {rows[0].samples} samples; {target}. Training: "
        f"{_training(training)}{tuned}; {study['seconds']:.0f} s in all. {versions}."
    )


def _training(how: dict[str, Any]) -> str:
    """What differs from doing nothing."""
    return ", ".join(
        f"{name} {'+'.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in how.items() if value and (name != "factor" or how["milestones"])
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
