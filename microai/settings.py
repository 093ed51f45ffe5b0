# SPDX-License-Identifier: Apache-2.0
"""An experiment file: a network, data, how it is trained, where it is deployed."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from microai.checked import Strict, load_toml, problems
from microai.errors import UsageError
from microai.paths import data_dir
from microai.quantize.scheme import SCHEMES
from microai.types import Rounding

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Natural = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+\.npz$")]


class Network(Strict):
    """Which network, and how wide."""

    kind: Literal["resnetv1_6"]
    filters: Count


class Data(Strict):
    """Files in the data folder, with X (N, ...), y (N,), and `scale` for each last index of X."""

    train: FileName
    test: FileName


class Training(Strict):
    """Stochastic gradient descent with momentum; the learning rate falls to 0 along a cosine.

    `mixup` is Beta's parameter, 0 for none; `noise` is in deviations of the normalized input.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Count
    batch: Count
    learning_rate: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Natural = 0.0
    mixup: Natural = 0.0
    noise: Natural = 0.0


class Deploy(Strict):
    """Storage schemes, test samples to run, training samples to calibrate on."""

    schemes: Annotated[tuple[str, ...], Field(min_length=1)]
    rounding: Rounding = "nearest"
    per_channel: bool = False
    samples: Count
    calibration: Count

    @field_validator("schemes")
    @classmethod
    def _known(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(schemes) - set(SCHEMES)):
            raise ValueError(f"no scheme {', '.join(unknown)}; there are {', '.join(SCHEMES)}")
        return schemes


class Experiment(Strict):
    """The whole file."""

    title: Annotated[str, Field(min_length=1)]
    network: Network
    data: Data
    training: Training
    deploy: Deploy


def changed(what: Experiment, filters: int | None, seed: int | None) -> Experiment:
    """The experiment with a width or seed of the user's, or UsageError."""
    network = {**what.network.model_dump(), **({} if filters is None else {"filters": filters})}
    training = {**what.training.model_dump(), **({} if seed is None else {"seed": seed})}
    try:
        return Experiment.model_validate(
            {**what.model_dump(), "network": network, "training": training}
        )
    except ValidationError as error:
        raise UsageError(f"options: {problems(error)}") from None


def load_experiment(name: str) -> Experiment:
    """A shipped experiment by name, or any file that ends in .toml."""
    if name.endswith(".toml"):
        return load_toml(Path(name), Experiment)
    path = data_dir("experiments") / f"{name}.toml"
    if not path.is_file():
        shipped = sorted(found.stem for found in data_dir("experiments").glob("*.toml"))
        raise UsageError(f"unknown experiment {name!r}; there are {', '.join(shipped)}")
    return load_toml(path, Experiment)
