# SPDX-License-Identifier: Apache-2.0
"""An experiment file: data, a network in several widths, how they are trained and stored."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from microai.checked import Strict, load_json, load_toml, problems
from microai.errors import UsageError
from microai.formats import Format
from microai.paths import data_dir

Count = Annotated[int, Field(gt=0)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Natural = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+\.npz$")]


class Network(Strict):
    """`resnetv1_6`, or `file.py:function`: function(shape (C, ...), classes, filters) -> Module."""

    kind: Annotated[str, Field(pattern=r"^(resnetv1_6|.+\.py:\w+)$")]


class Data(Strict):
    """Files in the data folder, with X (N, ..., C), y (N,), and `scale` for each last index of X.

    `validation` is the share of the training set that `--validate` holds out, whole groups where
    `group` names the array of whoever a sample is of. A * in a name stands for any text.
    """

    train: FileName
    test: FileName
    group: str | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Training(Strict):
    """One way to train. The rate falls along half a cosine to 0, or by `factor` at `milestones`.

    `mixup` is Beta's parameter, 0 for none; `noise` is in deviations of the normalized input;
    `shift` is by up to so many samples or pixels.
    """

    epochs: Count
    batch: Count
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: tuple[Count, ...] = ()
    factor: Positive = 0.1
    momentum: Share = 0.0
    weight_decay: Natural = 0.0
    mixup: Natural = 0.0
    noise: Natural = 0.0
    shift: Whole = 0

    @model_validator(mode="after")
    def _used(self) -> Self:
        """A key that does nothing is a mistake."""
        if bool(self.milestones) != (self.schedule == "step"):
            raise ValueError('milestones and schedule = "step" need each other')
        if self.optimizer == "adam" and self.momentum:
            raise ValueError("adam takes no momentum")
        return self


def _known(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Formats that can be read, each once; all that is wrong in one ValueError."""
    wrong = ["a format is there twice"] if len(set(formats)) < len(formats) else []
    for text in formats:
        try:
            Format.read(text)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return formats


Formats = Annotated[tuple[str, ...], AfterValidator(_known)]


class Deploy(Strict):
    """Storage formats (`microai.formats`), test samples to run on the target (the seeds of a width
    share them), training samples to calibrate on, and how much of their accuracy a mixed format may
    lose.
    """

    formats: Annotated[Formats, Field(min_length=1)]
    samples: Count
    calibration: Count
    max_drop: Share = 0.01


class Runs(Strict):
    """A width, with how many seeds it is trained (0, 1, and so on), and formats of its own."""

    filters: Count
    seeds: Count = 1
    formats: Formats = ()


class Experiment(Strict):
    """The whole file. `tuning` is the training in integers of formats with `qat`."""

    title: Annotated[str, Field(min_length=1)]
    network: Network
    data: Data
    training: Training
    tuning: Training | None = None
    deploy: Deploy
    runs: tuple[Runs, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        tuned = [text for run in self.runs for text in self.formats(run) if Format.read(text).qat]
        if not self.runs:
            raise ValueError("runs: there are none; [[runs]] with filters = 16 is one")
        if tuned and not self.tuning:
            raise ValueError(f"{tuned[0]} needs [tuning]")
        if len({run.filters for run in self.runs}) < len(self.runs):
            raise ValueError("runs: a width is there twice")
        return self

    def formats(self, run: Runs) -> tuple[str, ...]:
        """Those of all runs, and its own."""
        return tuple(dict.fromkeys(self.deploy.formats + run.formats))


def changed(what: Experiment, filters: tuple[int, ...], seeds: int | None) -> Experiment:
    """The experiment with some widths or another number of seeds of the user's, or UsageError."""
    known = {run.filters: run.model_dump() for run in what.runs}
    runs = [known.get(width, {"filters": width}) for width in filters or known]
    if seeds is not None:
        runs = [run | {"seeds": seeds} for run in runs]
    try:
        return Experiment.model_validate(what.model_dump() | {"runs": runs})
    except ValidationError as error:
        raise UsageError(f"options: {problems(error)}") from None


def load_experiment(name: str) -> Experiment:
    """A shipped experiment by name, any .toml, or the .json that a study keeps with its results."""
    if re.search(r"\.(toml|json)$", name):
        load = load_json if name.endswith(".json") else load_toml
        return load(Path(name), Experiment)
    path = data_dir("experiments") / f"{name}.toml"
    if not path.is_file():
        shipped = sorted(found.stem for found in data_dir("experiments").glob("*.toml"))
        raise UsageError(f"unknown experiment {name!r}; there are {', '.join(shipped)}")
    return load_toml(path, Experiment)


def resolved(what: Experiment) -> bytes:
    """The experiment with every default written out, for `load_experiment`."""
    return json.dumps(what.model_dump(), indent=1).encode()
