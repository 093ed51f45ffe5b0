# SPDX-License-Identifier: Apache-2.0
"""From an experiment file to a table: every width and seed is trained and stored in every format,
and only then judged: on the test set, which nothing has read before, or on a held-out part.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from microai.backend import Kernel
from microai.checked import load_json
from microai.errors import DoesNotFitError, Tell, UsageError
from microai.files import write_file
from microai.job import Job
from microai.labelled import LabelledSet, check_alike, find_set, read_set, split
from microai.making import Made, Task, networks
from microai.pipeline import Recipe, compile_source, deploy
from microai.quantize.scheme import SCHEMES
from microai.records import keep, recall
from microai.samples import labels_of, normalized, samples_of, spread, stored
from microai.save import to_bytes
from microai.settings import Experiment, resolved
from microai.source import Source
from microai.types import Array
from microai.verdict import judged


@dataclass(frozen=True)
class Place:
    """The folder of the data and that of the results; what to run on, None: by the rules alone.

    `command` and `versions` go into the results. `validate`: judge by a part of the training set,
    and leave the test set alone.
    """

    data: Path
    out: Path
    job: Job | None
    kernels: tuple[Kernel, ...]
    command: str
    versions: Mapping[str, str]
    validate: bool = False


@dataclass(frozen=True)
class Row:
    """One network in one format: on all samples by its rules, on some by the target (`report`), or
    why it is not on the target (`refused`).
    """

    filters: int
    seed: int
    format: str
    seconds: float
    judging_seconds: float
    samples: int
    accuracy: float
    report: Mapping[str, Any] | None
    refused: str = ""


@dataclass(frozen=True)
class Study:
    """All rows, and what they are of."""

    what: Experiment
    judged_on: str
    rows: tuple[Row, ...]

    @property
    def seconds(self) -> float:
        """Of all that took time, in however many sittings."""
        return sum(row.seconds + row.judging_seconds for row in self.rows)

    def to_json(self) -> dict[str, object]:
        """The study as one object."""
        return {
            "schema": "microai.study/1", "experiment": self.what.model_dump(mode="json"),
            "judged_on": self.judged_on, "seconds": self.seconds,
            "rows": [asdict(row) for row in self.rows],
        }  # fmt: skip


def run_study(what: Experiment, place: Place, tell: Tell) -> Study:
    """Train what is missing, then judge; the files go to `place.out`."""
    _check_folder(what, place.out / "experiment.json")
    train, held = _training_sets(what, place, tell)
    write_file(place.out / "experiment.json", lambda file: file.write(resolved(what)))
    board = place.job.board if place.job else None
    made = [
        network
        for run in what.runs for seed in range(run.seeds)
        for network in networks(
            Task(what, run.filters, seed, train, held, what.formats(run),
                 place.out / f"{run.filters}-{seed}", place.kernels, board, run.seeds), tell,
        )
    ]  # fmt: skip
    judge = held or read_set(place.data / what.data.test)
    rows = tuple(_row(one, judge, place, tell) for one in made)
    study = Study(what, f"a part of {held.name}" if held else judge.name, rows)
    found = {**study.to_json(), "command": place.command, "versions": place.versions}
    text = json.dumps(found, indent=1)
    write_file(place.out / "results.json", lambda file: file.write(text.encode()))
    return study


def _check_folder(what: Experiment, record: Path) -> None:
    """UsageError where the folder holds the results of another network or other data."""
    if not record.is_file():
        return
    other = load_json(record, Experiment)
    if (other.title, other.network, other.data) != (what.title, what.network, what.data):
        raise UsageError(
            f"{record.parent} holds the study {other.title!r} of other data or another network; "
            "choose another --out, or delete it"
        )


def _training_sets(
    what: Experiment, place: Place, tell: Tell
) -> tuple[LabelledSet, LabelledSet | None]:
    """What to train on and what is held out, once it is sure that there is a test set."""
    origin = find_set(place.data / what.data.train)
    if not place.validate and find_set(place.data / what.data.test) == origin:
        raise UsageError(f"{origin.name} is the training set and the test set; name another one")
    train = read_set(origin, what.data.group)
    if not place.validate:
        check_alike(find_set(place.data / what.data.test), train)
        return train, None
    train, held = split(train, what.data.validation)
    tell(f"{len(held.y)} of {len(held.y) + len(train.y)} training samples are held out")
    return train, held


def _row(made: Made, judge: LabelledSet, place: Place, tell: Tell) -> Row:
    """What is kept of this network on these samples and this target; else found out now."""
    job = place.job if made.format != "float" else None
    settings = {
        "network": sha256(to_bytes(made.graph)).hexdigest(), "data": judge.digest,
        "target": [job.board.model_dump(mode="json"), len(_shown(made, judge))] if job else None,
        "versions": place.versions,
        "kernels": [f"{kernel.backend}/{kernel.template}" for kernel in place.kernels],
    }  # fmt: skip
    record = made.folder / "row.json"
    if known := recall(record, settings):
        return Row(**known)
    tell(f"judging {made.task.filters} filters, seed {made.task.seed}: {made.format}")
    row = _judged(made, judge, job, place.kernels, tell)
    keep(record, settings, asdict(row))
    return row


def _shown(made: Made, judge: LabelledSet) -> Array:
    """Which samples the target runs: spread evenly, and shared among the seeds of a width."""
    task = made.task
    return spread(len(judge.y), task.what.deploy.samples)[task.seed :: task.seeds]


def _judged(
    made: Made, judge: LabelledSet, job: Job | None, kernels: tuple[Kernel, ...], tell: Tell
) -> Row:
    began, graph, origin = time.monotonic(), made.graph, Path(judge.name)
    arrays = {"X": np.moveaxis(judge.x, -1, 1), "y": judge.y, "labels": judge.y}
    samples, labels = samples_of(graph, arrays, origin), labels_of(graph, arrays, origin)
    assert labels is not None
    share = judged(graph, stored(graph, normalized(graph, samples)), labels)
    chosen = _shown(made, judge)
    few = {name: array[chosen] for name, array in samples.items()}
    source = Source(graph, few, few, labels[chosen])
    own = job and replace(job, out=made.folder / "target")
    report, refused = _on_target(source, kernels, own, tell) if own else (None, "")
    return Row(
        made.task.filters, made.task.seed, made.format, made.seconds, time.monotonic() - began,
        len(labels), share, report, refused,
    )  # fmt: skip


def _on_target(
    source: Source, kernels: tuple[Kernel, ...], job: Job, tell: Tell
) -> tuple[dict[str, object] | None, str]:
    """The report, or why there is none: the board is too small."""
    recipe = Recipe(None if source.quantized else SCHEMES["f32"], kernels=kernels)
    compiled = compile_source(source, recipe, "network", tell)
    try:
        return deploy(source, compiled, job, tell).report.to_json(), ""
    except DoesNotFitError as error:
        tell(str(error))
        return None, str(error)
