# SPDX-License-Identifier: Apache-2.0
"""What the user brings: a model, samples to run, samples to calibrate on."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microai.errors import DeviceError, Tell, UsageError
from microai.files import load_arrays
from microai.fixedpoint import dequantize
from microai.frontends import load_model
from microai.graph import Graph, Node
from microai.names import is_prefix
from microai.op import Input
from microai.quantize.scheme import SCHEMES, Scheme
from microai.samples import labels_of, normalized, samples_of, with_statistics
from microai.types import Array, Arrays, QTensor

RANDOM_SAMPLES = 8


@dataclass(frozen=True)
class Question:
    """The command's options that say what to open."""

    model: str | None = None
    input_shape: tuple[int, ...] | None = None
    data: Path | None = None
    calibration: Path | None = None
    normalize: str = "none"
    seed: int = 0


@dataclass(frozen=True)
class Source:
    """A graph as imported, and samples (N, ...) channels last.

    `raw`: samples are in the deployed storage already, not real numbers.
    """

    graph: Graph
    samples: Arrays | None
    calibration: Arrays | None
    labels: Array | None = None
    raw: bool = False
    scheme: Scheme | None = None  # the file's own
    borrowed: bool = False  # calibration samples are the ones to run
    calibration_labels: Array | None = None  # the example's, or of `with_calibration_labels`

    @property
    def quantized(self) -> bool:
        """Whether the graph came in integers."""
        return any(node.type.quant for node in self.graph.nodes)


def open_source(question: Question, tell: Tell) -> Source:
    """The bundled digits, or the user's model with the user's data."""
    if question.model is None:
        return _digits(question, tell)
    graph = load_model(question.model, question.input_shape)
    source = _with_data(graph, question)
    for node in graph.inputs:
        given = source.samples[node.name].dtype if source.samples else None
        if node.type.quant and str(given) == node.type.dtype:
            tell(
                f"input {node.name}: the samples are {given} and taken as real numbers; "
                "where they are stored ones, use `microai run`"
            )
    if question.model.endswith(".mai"):
        source = replace(source, scheme=None if source.quantized else SCHEMES["f32"])
    if question.normalize == "none":
        return source
    if source.quantized:
        raise UsageError("the model is quantized already, with a normalization of its own")
    if source.calibration is None:
        raise UsageError("--normalize zscore needs --calibration or --data to measure on")
    return replace(source, graph=with_statistics(source.graph, source.calibration))


def with_calibration_labels(source: Source, question: Question) -> Source:
    """With the class numbers of the calibration file, where it has any."""
    path = question.calibration
    if path is None:
        return source
    return replace(source, calibration_labels=labels_of(source.graph, load_arrays(path), path))


def open_raw(question: Question, path: Path, tell: Tell) -> Source:
    """The user's model with raw inputs from a file."""
    source = open_source(question, tell)
    for node in source.graph.inputs:
        if isinstance(node.op, Input) and node.op.normalized:
            tell(f"input {node.name} is taken as stored: (x - mean) / std is done already")
    return replace(source, samples=samples_of(source.graph, load_arrays(path), path), raw=True)


def own_name(model: str | None) -> str:
    """The prefix of the C where none is given: a .mai's is its file's."""
    if model is None:
        return "digits"
    stem = Path(model).stem
    return stem if model.endswith(".mai") and is_prefix(stem) else "model"


def calibration_reals(source: Source) -> Arrays | None:
    """The calibration samples as the network sees them."""
    return None if source.calibration is None else normalized(source.graph, source.calibration)


def _with_data(graph: Graph, question: Question) -> Source:
    samples = calibration = labels = None
    if question.data:
        arrays = load_arrays(question.data)
        samples = samples_of(graph, arrays, question.data)
        labels = labels_of(graph, arrays, question.data)
    if question.calibration:
        arrays = load_arrays(question.calibration)
        calibration = samples_of(graph, arrays, question.calibration)
    borrowed = calibration is None and samples is not None
    calibration = samples if borrowed else calibration
    return Source(graph, samples, calibration, labels, borrowed=borrowed)


def with_samples(source: Source, seed: int, tell: Tell) -> Source:
    """Without data, calibration samples or random ones: they show exactness and cost only."""
    if source.samples is not None:
        return source
    if source.calibration is not None:
        return replace(source, samples=source.calibration)
    tell(f"no --data: using {RANDOM_SAMPLES} random samples")
    random = np.random.default_rng(seed)
    drawn = {node.name: _drawn(node, random) for node in source.graph.inputs}
    return replace(source, samples=drawn)


def _drawn(node: Node, random: np.random.Generator) -> Array:
    """Integers of an input's whole range as real numbers; normal ones where it has no range."""
    shape, quant = (RANDOM_SAMPLES, *node.type.shape[1:]), node.type.quant
    if quant is None:
        return random.standard_normal(shape, np.float32)
    ints = random.integers(quant.low, quant.high, shape, endpoint=True)
    return dequantize(QTensor(ints, quant)).astype(np.float32)


def _digits(question: Question, tell: Tell) -> Source:
    """The bundled example, trained now."""
    if question.data or question.calibration or question.input_shape:
        raise UsageError("--data, --calibration and --input-shape need a MODEL")
    try:
        from microai.examples import digits
        from microai.frontends.torch import import_module
    except ModuleNotFoundError as error:
        raise DeviceError(
            f"the digits example needs {error.name}: pip install 'microai[demo]'"
        ) from None
    data = digits.data()
    tell(f"training on {len(data.images)} scans of handwritten digits")
    images = data.images
    if question.normalize == "zscore":
        images = (images - images.mean()) / images.std()
    graph = import_module(digits.train(images, data.labels, question.seed), digits.EXAMPLE)
    calibration = samples_of(graph, {"X": data.images}, Path("digits"))
    samples = samples_of(graph, {"X": data.test_images}, Path("digits"))
    if question.normalize == "zscore":
        graph = with_statistics(graph, calibration)
    return Source(
        graph, samples, calibration, data.test_labels, calibration_labels=data.labels
    )  # fmt: skip
