# SPDX-License-Identifier: Apache-2.0
"""Run exported files in the runtimes they are made for: a second opinion about every layer.

Both run as defined rather than as fast as possible: LiteRT with its reference kernels, onnxruntime
without rewriting the graph.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

import numpy as np

from microai.errors import DeviceError
from microai.fixedpoint import dequantize
from microai.graph import Graph, Node
from microai.op import Input
from microai.types import Array, Arrays, QTensor

Run = Callable[[Graph, bytes, Mapping[str, Array]], Arrays]
"""A graph, its file, its stored inputs (N, ...) to its stored outputs, all channels last."""


@dataclass(frozen=True)
class Oracle:
    """A runtime, its version, and how it is asked."""

    name: str
    ask: Run

    def run(self, graph: Graph, content: bytes, inputs: Mapping[str, Array]) -> Arrays:
        """Its outputs, or DeviceError with its own words."""
        try:
            return self.ask(graph, content, inputs)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise DeviceError(f"{self.name} does not run {graph.outputs}: {reason}") from error


def oracle_of(kind: str) -> Oracle | None:
    """The first runtime for a format that is installed."""
    for package, module, run in RUNTIMES[kind]:
        if find_spec(module):
            return Oracle(f"{package} {metadata.version(package)}", run)
    return None


def wanted(kind: str) -> str:
    """The package to install for a format."""
    return RUNTIMES[kind][0][0]


def _run_tflite(graph: Graph, content: bytes, inputs: Mapping[str, Array], package: str) -> Arrays:
    interpreter = _interpreter(content, import_module(f"{package}.interpreter"))
    places = {entry["name"]: entry["index"] for entry in interpreter.get_input_details()}
    made = [entry["index"] for entry in interpreter.get_output_details()]
    rows = []
    for sample in _samples(inputs):
        for name, array in sample.items():
            interpreter.set_tensor(places[name], array)
        interpreter.invoke()
        rows.append([interpreter.get_tensor(index) for index in made])
    return _columns(graph, rows)


def _interpreter(content: bytes, module: Any) -> Any:
    """With reference kernels, or with the others where an operator has no reference (ELU)."""
    kinds = module.OpResolverType
    try:
        made = module.Interpreter(
            model_content=content, experimental_op_resolver_type=kinds.BUILTIN_REF
        )
    except ValueError:
        made = module.Interpreter(
            model_content=content,
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    made.allocate_tensors()
    return made


def _run_onnx(graph: Graph, content: bytes, inputs: Mapping[str, Array]) -> Arrays:
    """Its ends are float32 in the model's own layout."""
    import onnxruntime

    from microai.export.onnx import outputs_first
    from microai.export.onnx_draft import to_last

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(content, options, providers=providers)
    own = {node.name: _own(node, inputs[node.name]) for node in graph.inputs}
    rows = [session.run(list(graph.outputs), sample) for sample in _samples(own)]
    found = _columns(graph, rows)
    if outputs_first(graph):
        found = {name: array.transpose(to_last(array.ndim)) for name, array in found.items()}
    return {name: _stored(graph[name], array) for name, array in found.items()}


def _own(node: Node, array: Array) -> Array:
    """Stored integers as the real numbers they are, in the model's own layout."""
    assert isinstance(node.op, Input)
    if node.type.quant and node.type.dtype != "int32":
        array = dequantize(QTensor(array.astype(np.int64), node.type.quant)).astype(np.float32)
    return array.transpose(np.argsort(node.op.axes)) if node.op.axes else array


def _stored(node: Node, array: Array) -> Array:
    """Real numbers that are whole steps as integers."""
    quant = node.type.quant
    if quant is None or quant.dtype == "int32":
        return array
    steps = np.rint(array.astype(np.float64) / quant.scale[0]).astype(np.int64) + quant.zero
    return np.asarray(steps, node.type.dtype)


def _samples(inputs: Mapping[str, Array]) -> list[Arrays]:
    """One after the other: files have batch 1."""
    count = len(next(iter(inputs.values())))
    return [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)]


def _columns(graph: Graph, rows: list[list[Array]]) -> Arrays:
    """Each output's samples together."""
    columns = zip(graph.outputs, zip(*rows, strict=True), strict=True)
    return {name: np.concatenate(arrays) for name, arrays in columns}


RUNTIMES: dict[str, tuple[tuple[str, str, Run], ...]] = {
    "tflite": tuple(
        (package.replace("_", "-"), package, partial(_run_tflite, package=package))
        for package in ("ai_edge_litert", "tflite_runtime")
    ),
    "onnx": (("onnxruntime", "onnxruntime", _run_onnx),),
}
"""For each format: package, module, how to ask it; the best one first."""
