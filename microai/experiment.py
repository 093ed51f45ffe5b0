# SPDX-License-Identifier: Apache-2.0
"""From an experiment file to a table: train once, deploy in every scheme.

The test set is read once, after the last epoch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from microai.backend import Kernel
from microai.errors import DeviceError, Tell, UsageError
from microai.files import load_arrays, write_file
from microai.graph import Graph
from microai.names import is_prefix
from microai.pipeline import Job, Recipe, compile_source, deploy
from microai.quantize.scheme import named
from microai.report import Report
from microai.samples import labels_of, normalized, samples_of, with_statistics
from microai.save import load, to_bytes
from microai.settings import Experiment
from microai.source import Source
from microai.types import Array, Arrays
from microai.verdict import accuracy


@dataclass(frozen=True)
class Outcome:
    """What an experiment gave: the float network on the whole test set, then each deployment."""

    title: str
    filters: int
    seed: int
    test_samples: int
    float_accuracy: float
    reports: tuple[Report, ...]

    def to_json(self) -> dict[str, object]:
        """The outcome as one object."""
        return {
            "schema": "microai.experiment/1", "title": self.title, "filters": self.filters,
            "seed": self.seed, "test_samples": self.test_samples,
            "float_accuracy": self.float_accuracy,
            "deployments": [report.to_json() for report in self.reports],
        }  # fmt: skip


def run_experiment(
    what: Experiment, folder: Path, job: Job, kernels: tuple[Kernel, ...], tell: Tell
) -> Outcome:
    """Train, or take the same experiment's network from `job.out`; deploy in every scheme."""
    assert job.out
    train = _read(folder, what.data.train)
    graph = _trained(what, train, job.out, tell)
    test = _read(folder, what.data.test)
    path = folder / what.data.test
    samples, labels = samples_of(graph, test, path), labels_of(graph, test, path)
    if labels is None:
        raise UsageError(f"{path}: no array 'y'")
    reals = normalized(graph, samples)
    share = accuracy(graph, reals, next(iter(samples.values())), labels).float
    assert share is not None
    tell(f"float network: {share:.2%} of {len(labels)} test samples")
    source = _source(what, graph, train, samples, labels)
    reports = tuple(
        _deploy(scheme, source, what, job, kernels, tell) for scheme in what.deploy.schemes
    )
    outcome = Outcome(
        what.title, what.network.filters, what.training.seed, len(labels), share, reports
    )
    text = json.dumps(outcome.to_json(), indent=1)
    write_file(job.out / "experiment.json", lambda file: file.write(text.encode()))
    return outcome


def _read(folder: Path, name: str) -> Arrays:
    """X as float32 in physical units, and y."""
    path = folder / name
    if not path.is_file():
        raise UsageError(f"{path}: no such file; --data-dir or MICROAI_DATA names its folder")
    arrays = load_arrays(path)
    if missing := {"X", "y"} - arrays.keys():
        raise UsageError(f"{path}: no array {min(missing)!r}")
    x, y, scale = arrays["X"], arrays["y"], arrays.get("scale", np.ones(1, np.float32))
    shapes = x.ndim == 3 and y.shape == x.shape[:1] and scale.shape in ((1,), x.shape[2:])
    if not shapes or not x.size or {x.dtype.kind, scale.dtype.kind} - set("fiu"):
        raise UsageError(
            f"{path}: X is {x.dtype} {x.shape}, y is {y.shape}, scale is {scale.shape}, "
            "expected numbers (N, L, C), (N,) and, where it is there, (C,)"
        )
    if y.dtype.kind not in "iu" or not 0 <= y.min() <= y.max() < len(y):
        raise UsageError(
            f"{path}: y is {y.dtype} from {y.min()} to {y.max()}, expected classes from 0 up"
        )
    return {"X": (x * scale).astype(np.float32), "y": y}


def _trained(what: Experiment, train: Mapping[str, Array], out: Path, tell: Tell) -> Graph:
    """The float network; trained now unless `out` holds it already."""
    settings = json.dumps(
        {
            "network": what.network.model_dump(), "training": what.training.model_dump(),
            "data": {name: sha256(array.tobytes()).hexdigest() for name, array in train.items()},
        },
        indent=1,
    )  # fmt: skip
    saved, record = out / "float.mai", out / "float.json"
    if saved.is_file() and record.is_file() and record.read_text(encoding="utf-8") == settings:
        tell(f"taking the trained network from {saved}")
        return load(saved)
    graph = _train(what, train, tell)
    write_file(saved, lambda file: file.write(to_bytes(graph)))
    write_file(record, lambda file: file.write(settings.encode()))
    return graph


def _train(what: Experiment, train: Mapping[str, Array], tell: Tell) -> Graph:
    try:
        import torch

        from microai.examples.resnet import ResNetv1_6
        from microai.frontends.torch import import_module
        from microai.train import train as fit
    except ModuleNotFoundError as error:
        raise DeviceError(f"training needs {error.name}: pip install 'microai[torch]'") from None
    torch.manual_seed(what.training.seed)
    _, length, channels = train["X"].shape
    network = ResNetv1_6(channels, int(train["y"].max()) + 1, what.network.filters)
    example = (torch.zeros(1, channels, length),)
    untrained = import_module(network, example)
    inputs = {untrained.inputs[0].name: train["X"]}
    normal = normalized(with_statistics(untrained, inputs), inputs)[untrained.inputs[0].name]
    signals = torch.from_numpy(np.ascontiguousarray(normal.transpose(0, 2, 1)))
    tell(f"training on {len(signals)} samples for {what.training.epochs} epochs")
    labels = torch.from_numpy(train["y"].astype(np.int64))
    trained = import_module(fit(network, signals, labels, what.training, tell), example)
    return with_statistics(trained, inputs)


def _source(
    what: Experiment, graph: Graph, train: Mapping[str, Array], samples: Arrays, labels: Array
) -> Source:
    """The samples to run and to calibrate on, spread evenly over their sets."""
    (name,) = samples
    chosen = _spread(len(labels), what.deploy.samples)
    measured = train["X"][_spread(len(train["X"]), what.deploy.calibration)]
    return Source(graph, {name: samples[name][chosen]}, {name: measured}, labels[chosen])


def _spread(size: int, count: int) -> Array:
    """`count` indices from the whole range, or all of them."""
    return np.linspace(0, size - 1, min(size, count)).astype(np.int64)


def _deploy(
    scheme: str, source: Source, what: Experiment, job: Job, kernels: tuple[Kernel, ...], tell: Tell
) -> Report:  # fmt: skip
    """One scheme, in a folder of its own."""
    assert job.out
    name = f"{what.network.kind}_{scheme.replace('-', '_')}"
    assert is_prefix(name)
    tell(f"{scheme}:")
    how = named(scheme, what.deploy.rounding, per_channel=what.deploy.per_channel)
    compiled = compile_source(source, Recipe(how, kernels=kernels), name, tell)
    own = Job(job.board, job.emulator, job.out / scheme, job.stepped)
    return deploy(source, compiled, own, tell).report
