# SPDX-License-Identifier: Apache-2.0
"""Whole networks with some choice of kernels: built, run once, and kept."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from microai.choices import Whole
from microai.job import Job
from microai.pipeline import build_image
from microai.profiling import traced_costs
from microai.records import keep, recall
from microai.render import Compiled
from microai.timings import context, counts, data_digest, digest_of, roomy
from microai.types import Array


@dataclass(frozen=True)
class Built:
    """A whole network with some kernels, as it was built and run."""

    compiled: Compiled
    whole: Whole

    @property
    def kernels(self) -> dict[str, str]:
        """Of each step, by name."""
        return {name: choice.kernel.name for name, choice in self.compiled.choices.items()}


def whole(name: str, compiled: Compiled, sample: Mapping[str, Array], job: Job) -> Whole:
    """A network built and run once; what was is not run again."""
    made_of = [*compiled.sources, *compiled.sources.values()]
    made_of += [library.description for library in compiled.libraries]
    text = "\0".join(made_of)
    digest = hashlib.sha256(text.encode()).hexdigest()
    data = data_digest(compiled.graph, sample)
    settings = {**context(job), "sources": digest, "data": data}
    place = job.cache / "networks" / f"{digest_of(settings)}.json"
    record = recall(place, settings)
    if not counts(record, FIGURES):
        record = _run(compiled, sample, job)
        keep(place, settings, record)
    latency_ms = 1e3 * record["cycles"] / job.board.clocks[0].hz
    return Whole(name=name, latency_ms=latency_ms, **record)


FIGURES = ("instructions", "cycles", "flash_bytes", "ram_bytes", "arena_bytes")


def _run(compiled: Compiled, sample: Mapping[str, Array], job: Job) -> dict[str, int]:
    """With all the memory there is: whether it fits is asked later."""
    board = roomy(job.board)
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        firmware = build_image(compiled, board, Path(work))
        costs = traced_costs(compiled, firmware, sample, replace(job, board=board))
    assert costs.whole.cycles is not None, "boards without timing are refused before"
    return {
        "instructions": costs.whole.instructions, "cycles": costs.whole.cycles,
        "flash_bytes": firmware.flash_bytes,
        "ram_bytes": firmware.ram_bytes, "arena_bytes": compiled.plan.arena_bytes,
    }  # fmt: skip
