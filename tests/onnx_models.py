# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models for the frontend's tests, and onnxruntime as their meaning."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from onnx import helper, numpy_helper

from microai.frontends.onnx import import_onnx
from microai.graph import Graph
from microai.interpret import interpret
from microai.types import Array

IR = 8  # what the installed runtime reads of every opset


def made(text: str, opset: int, weights: Mapping[str, Array]) -> onnx.ModelProto:
    """A model from ONNX's own text for a graph, with weights."""
    graph = onnx.parser.parse_graph(text)
    for name, array in weights.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=IR if opset < 21 else 10)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    """As a file."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def drawn(model: onnx.ModelProto, count: int = 1, seed: int = 0) -> dict[str, Array]:
    """Random inputs (count, 1, ...)."""
    random = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        given.name: random.normal(
            0.2, 1, (count, *(d.dim_value for d in given.type.tensor_type.shape.dim))
        ).astype(np.float32)
        for given in model.graph.input
        if given.name not in constants
    }


def in_runtime(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs that onnxruntime computes, one run for each sample."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    count = len(next(iter(inputs.values())))
    runs = [session.run(None, {k: v[i] for k, v in inputs.items()}) for i in range(count)]
    return [np.stack(outputs) for outputs in zip(*runs, strict=True)]


def in_ours(graph: Graph, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs by our rules, (count, 1, ...), channels last."""
    given = {
        node.name: np.stack([deployed(node.op.axes, x) for x in inputs[node.name]])[:, 0]
        for node in graph.inputs
    }
    values = interpret(graph, given)
    return [values[name][:, None] for name in graph.outputs]


def deployed(axes: tuple[int, ...], x: Array) -> Array:
    """A sample in the model's layout as deployed."""
    return np.ascontiguousarray(x.transpose(axes)) if axes else x


def channels_last(y: Array) -> Array:
    """A runtime's output (count, 1, C, ...) as ours lie."""
    return np.moveaxis(y, 2, -1) if y.ndim > 3 else y


def assert_same(model: onnx.ModelProto, folder: Path, atol: float = 2e-6) -> Graph:
    """Our import computes what onnxruntime does."""
    graph = import_onnx(saved(model, folder))
    inputs = drawn(model)
    for expected, found in zip(in_runtime(model, inputs), in_ours(graph, inputs), strict=True):
        turned = channels_last(expected)
        own = found.shape != turned.shape  # then it lies as in the model
        np.testing.assert_allclose(found, expected if own else turned, rtol=1e-6, atol=atol)
    return graph
