# SPDX-License-Identifier: Apache-2.0
"""Rows of a study, put together over their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from microai.study import Row


@dataclass(frozen=True)
class Summary:
    """One width in one format: mean and deviation of accuracies (None with one seed); figures of
    the target are the largest over the seeds, mismatches their sum, None where it did not run.
    """

    filters: int
    format: str
    seeds: int
    samples: int
    mean: float
    deviation: float | None
    seconds: float
    on_target: int | None
    mismatches: int | None
    instructions: int | None
    macs: int | None
    flash_bytes: int | None
    weights_bytes: int | None
    arena_bytes: int | None
    ram_bytes: int | None

    @property
    def spread(self) -> str:
        """The deviation, or a dash."""
        return "-" if self.deviation is None else f"{self.deviation:.2%}"

    @property
    def per_mac(self) -> str:
        """Instructions, or a dash."""
        return f"{self.instructions / self.macs:.2f}" if self.instructions and self.macs else "-"


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """In the rows' order."""
    keys = dict.fromkeys((row.filters, row.format) for row in rows)
    return [_summary([r for r in rows if (r.filters, r.format) == key]) for key in keys]


def _summary(rows: list[Row]) -> Summary:
    shares = [row.accuracy for row in rows]
    first, reports = rows[0], [row.report for row in rows if row.report]

    def largest(name: str) -> int | None:
        found = [report[name] for report in reports if report[name] is not None]
        return max(found) if found else None

    return Summary(
        first.filters, first.format, len(rows), first.samples, fmean(shares),
        stdev(shares) if len(shares) > 1 else None, fmean(row.seconds for row in rows),
        sum(report["samples"] for report in reports) if reports else None,
        sum(report["mismatches"] for report in reports) if reports else None,
        largest("instructions"), reports[0]["model"]["macs"] if reports else None,
        largest("flash_bytes"), largest("weights_bytes"), largest("arena_bytes"),
        largest("ram_bytes"),
    )  # fmt: skip
