# SPDX-License-Identifier: Apache-2.0
"""The networks of an experiment: one width and seed trained in float, then stored in every format.

Each is kept with the settings it was made with, and made anew only when these have changed.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microai.backend import Kernel
from microai.board import Board
from microai.errors import Tell
from microai.extras import needed
from microai.files import write_file
from microai.formats import Format
from microai.graph import Graph
from microai.labelled import LabelledSet
from microai.mixture import Wish, choose
from microai.pipeline import Recipe, quantize_graph
from microai.records import keep, recall
from microai.samples import normalized, samples_of, spread, with_statistics
from microai.save import load, to_bytes
from microai.settings import Experiment
from microai.source import Source
from microai.types import Arrays
from microai.versions import versions

if TYPE_CHECKING:
    from torch import nn

    from microai.train import Epoch, Kept, Labelled, Session

Making = Callable[["Kept", Tell], "tuple[Graph, tuple[Epoch, ...]]"]


@dataclass(frozen=True)
class Task:
    """One width and seed: what to train on, what is held out, in which formats it is kept where;
    what mixed formats are sized for; how many seeds there are.
    """

    what: Experiment
    filters: int
    seed: int
    train: LabelledSet
    held: LabelledSet | None
    formats: tuple[str, ...]
    folder: Path
    kernels: tuple[Kernel, ...]
    board: Board | None
    seeds: int


@dataclass(frozen=True)
class Made:
    """A network in one format, and the seconds that took, the float network's not counted in."""

    task: Task
    format: str
    seconds: float
    graph: Graph
    folder: Path


def networks(task: Task, tell: Tell) -> Iterator[Made]:
    """The float network, then all formats."""
    float_network = _made(task, "float", partial(_float, task), tell)
    yield float_network
    for text in task.formats:
        tell(f"{task.filters} filters, seed {task.seed}: {text}")
        yield _made(task, text, partial(_stored, task, text, float_network.graph), tell)


def settings_of(task: Task, name: str) -> dict[str, Any]:
    """All that a network follows from."""
    what = task.what
    settings: dict[str, Any] = {
        "network": _network_facts(what.network.kind), "filters": task.filters, "seed": task.seed,
        "training": what.training.model_dump(), "data": task.train.digest,
        "torch": versions().get("torch"),
    }  # fmt: skip
    if name == "float":
        return settings
    form = Format.read(name)
    settings |= {"format": name, "calibration": what.deploy.calibration}
    if form.qat and what.tuning:
        settings["tuning"] = what.tuning.model_dump()
    if len(form.levels) > 1:
        settings["mixed"] = [
            what.deploy.max_drop, task.board and task.board.model_dump(mode="json"),
            [f"{kernel.backend}/{kernel.template}" for kernel in task.kernels],
        ]  # fmt: skip
    return settings


def _network_facts(kind: str) -> list[str]:
    """What it is called, and the content of the user's file."""
    path = Path(kind.rpartition(":")[0])
    return [kind, *([sha256(path.read_bytes()).hexdigest()] if path.is_file() else [])]


def _made(task: Task, name: str, make: Making, tell: Tell) -> Made:
    """What is kept under this name, where it was made with the same settings; else made now."""
    with needed("torch"):
        from microai.train import Kept
    settings, began = settings_of(task, name), time.monotonic()
    folder = task.folder / name.replace("/", ",")  # a mixed format has one name
    record, network = folder / "made.json", folder / "network.mai"
    known = recall(record, settings)
    if known and network.is_file():
        tell(f"{name}: taken from {folder}")
        return Made(task, name, known["seconds"], load(network), folder)
    digest = sha256(json.dumps(settings).encode()).hexdigest()
    kept = Kept(folder / "training.pt", digest)
    graph, history = make(kept, tell)
    seconds = max(time.monotonic() - began, sum(epoch.seconds for epoch in history))
    record.unlink(missing_ok=True)  # it is of the network that goes now
    write_file(network, lambda file: file.write(to_bytes(graph)))
    keep(record, settings, {"seconds": seconds, "epochs": list(map(astuple, history))})
    kept.path.unlink(missing_ok=True)
    return Made(task, name, seconds, load(network), folder)


def _float(task: Task, kept: "Kept", tell: Tell) -> "tuple[Graph, tuple[Epoch, ...]]":
    import torch

    from microai.frontends.torch import import_module
    from microai.train import train

    torch.manual_seed(task.seed)
    size = (task.train.x.shape[-1], *task.train.x.shape[1:-1])
    network = _network(task, size)
    example = (torch.zeros(1, *size),)
    graph = import_module(network, example)
    graph = with_statistics(graph, {graph.inputs[0].name: task.train.x})
    data = _tensors(graph, task.train)
    tell(f"{task.filters} filters, seed {task.seed}: training on {len(data.y)} samples")
    history = train(network, data, task.what.training, _session(task, graph, kept), tell)
    trained = import_module(network, example)
    return with_statistics(trained, {trained.inputs[0].name: task.train.x}), history


def _stored(
    task: Task, text: str, graph: Graph, kept: "Kept", tell: Tell
) -> "tuple[Graph, tuple[Epoch, ...]]":
    """The float network in a format, and what training that took."""
    form, recipe = Format.read(text), _recipe(task, text, graph, tell)
    assert recipe.scheme
    calibration = _reals(graph, _measured(task))
    if not form.qat:
        return quantize_graph(graph, recipe.scheme, calibration, recipe.layers, tell), ()
    from microai.torch_module import settle, torch_module
    from microai.train import train

    assert task.what.tuning
    module = torch_module(graph, recipe.scheme, calibration, recipe.layers)
    session = _session(task, graph, kept)
    history = train(module, _tensors(graph, task.train), task.what.tuning, session, tell)
    return settle(module), history


def _recipe(task: Task, text: str, graph: Graph, tell: Tell) -> Recipe:
    """One scheme; or one for each layer, chosen on training samples and written down."""
    form, deploy = Format.read(text), task.what.deploy
    if len(form.levels) == 1:
        return Recipe(next(iter(form.levels.values())))
    measured = _measured(task)
    samples = samples_of(graph, {"X": np.moveaxis(measured.x, -1, 1)}, Path(measured.name))
    source = Source(graph, None, samples, calibration_labels=measured.y)
    chosen = choose(source, Wish(form.levels, deploy.max_drop), task.kernels, task.board, tell)
    record = task.folder / text.replace("/", ",") / "mixed.json"
    write_file(record, lambda file: file.write(chosen.to_bytes()))
    tell(chosen.options if chosen.reached else chosen.shortfall)
    return chosen.recipe(())


def _measured(task: Task) -> LabelledSet:
    """The training samples to calibrate on."""
    return task.train.part(spread(len(task.train.y), task.what.deploy.calibration))


def _network(task: Task, size: tuple[int, ...]) -> "nn.Module":
    """Of inputs (N, *size), channels first."""
    from microai.examples.resnet import ResNetv1_6
    from microai.frontends.torch import call_python

    kind = task.what.network.kind
    if kind == "resnetv1_6":
        return ResNetv1_6(size, task.train.classes, task.filters)
    path, _, function = kind.rpartition(":")
    network: nn.Module = call_python(Path(path), function, size, task.train.classes, task.filters)
    return network


def _session(task: Task, graph: Graph, kept: "Kept") -> "Session":
    from microai.train import Session

    held = _tensors(graph, task.held) if task.held else None
    return Session(task.seed, kept, held)


def _reals(graph: Graph, data: LabelledSet) -> Arrays:
    samples = samples_of(graph, {"X": np.moveaxis(data.x, -1, 1)}, Path(data.name))
    return normalized(graph, samples)


def _tensors(graph: Graph, data: LabelledSet) -> "Labelled":
    from microai.train import labelled

    return labelled(graph, _reals(graph, data)[graph.inputs[0].name], data.y)
