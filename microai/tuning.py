# SPDX-License-Identifier: Apache-2.0
"""A user's network trained on in the integers it will be deployed in."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from microai.errors import Tell, UnsupportedError, UsageError
from microai.extras import needed
from microai.graph import Graph
from microai.labelled import LabelledSet, split
from microai.pipeline import Recipe
from microai.quantize.scheme import SCHEMES
from microai.samples import normalized, stored
from microai.save import to_bytes
from microai.settings import Training
from microai.source import Source, calibration_reals
from microai.verdict import judged

HELD_OUT = 0.1  # of the samples: they say what the training was good for


@dataclass(frozen=True)
class Tuned:
    """The network in integers, and the shares of held-out samples that it and the float network
    get right.
    """

    graph: Graph
    samples: int
    float_accuracy: float
    accuracy: float


def tune(source: Source, recipe: Recipe, how: Training, seed: int, keep: Path, tell: Tell) -> Tuned:
    """Trains on the source's labelled samples but for a tenth of each class, and measures ranges on
    them where no others are given; the state after each epoch is in `keep`, which stays there.
    """
    with needed("torch"):
        from microai.torch_module import settle, torch_module
        from microai.train import Kept, Session, labelled, train
    data, graph = _labelled_set(source), source.graph
    trained_on, held = split(data, HELD_OUT, seed)
    scheme = recipe.scheme or SCHEMES["int8"]
    if scheme.activations is None and not recipe.layers:
        raise UsageError("--qat trains in integers, and f32 has none; take another --scheme")
    (name,) = (node.name for node in graph.inputs)
    measured = None if source.borrowed else calibration_reals(source)
    calibration = measured or {name: trained_on.x}
    module = torch_module(graph, scheme, calibration, recipe.layers)
    measured_on = sha256(calibration[name].tobytes()).hexdigest()
    settings = f"{how!r} {scheme!r} {recipe.layers!r} {seed} {data.digest} {measured_on}"
    kept = Kept(keep, sha256(settings.encode() + to_bytes(graph)).hexdigest())
    session = Session(seed, kept, labelled(graph, held.x, held.y))
    train(module, labelled(graph, trained_on.x, trained_on.y), how, session, tell)
    integers, reals = settle(module), {name: held.x}
    shares = [judged(graph, reals, held.y), judged(integers, stored(integers, reals), held.y)]
    return Tuned(integers, len(held.y), *shares)


def _labelled_set(source: Source) -> LabelledSet:
    """The source's samples, normalized."""
    if source.quantized:
        raise UnsupportedError("the network is quantized already; training needs the float one")
    if len(source.graph.inputs) > 1 or len(source.graph.outputs) > 1:
        raise UnsupportedError(
            "the network has several inputs or outputs; train it in a loop of your own, "
            "with microai.torch_module"
        )
    if source.samples is None or source.labels is None:
        raise UsageError("--qat trains on labelled samples: pass --data x.npz with X and y")
    (x,) = normalized(source.graph, source.samples).values()
    return LabelledSet(x, source.labels, None, int(source.labels.max()) + 1)
