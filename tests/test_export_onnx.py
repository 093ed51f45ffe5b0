# SPDX-License-Identifier: Apache-2.0
"""Exported ONNX models in onnxruntime without graph optimizations: within one step a layer.

It computes in float32 between DequantizeLinear and QuantizeLinear and rounds half to even: ties
differ where we round up.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from microai.errors import UnsupportedError
from microai.export import to_bytes
from microai.frontends.torch import import_module
from microai.graph import Graph, replace_node
from microai.interpret import interpret
from microai.op import Input
from microai.ops import AvgPool, Conv, ConvTranspose, Dense, Relu, Reshape, Resize
from microai.pipeline import quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.samples import stored
from tests.exported import NAMES, Bound, agreement, cases_of, graph_of, measured, title, whole
from tests.graphs import GRAPHS, Sketch, samples
from tests.ladder import case_graph, inputs_of
from tests.networks import NETWORKS, shaken

TIES = Bound(1, 0.4)
BOUNDS = {
    ("int16x8", "tanh"): Bound(1, 0.12),  # float32 of the exact value; ours is straight lines
    ("ties", "add"): TIES,
    ("ties", "avg_pool"): TIES,
    ("ties", "leaky_relu"): TIES,
    ("ties", "concat"): TIES,
    ("ties", "sub"): TIES,
}
NEAR = Bound(1, 0.06)


@pytest.mark.parametrize(
    ("scheme", "op"),
    [
        *product(("f32", "int8", "int16x8", "ties"), NAMES),
        *product(("int8x4", "qmn16"), ("conv", "conv_transpose", "dense", "depthwise_conv")),
    ],
)
def test_every_op_is_within_its_bound(scheme: str, op: str) -> None:
    """Weights of 4 and 16 bits too: a DequantizeLinear takes any."""
    for name in cases_of(op, scheme):
        found = measured(name, scheme, "onnx")
        bound = BOUNDS.get((scheme, title(name)), NEAR)
        assert found.steps <= (0 if scheme == "f32" else bound.steps), (name, found)
        assert found.share <= bound.share, (name, found)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_whole_networks(name: str, scheme: str) -> None:
    """Each layer on our inputs to it; the outputs a little more."""
    found = agreement(whole(name, scheme), "onnx")
    assert all(layer.largest <= 1 for layer in found.layers)
    assert all(output.largest <= 3 for output in found.outputs)  # of seven functions in a row


def imported(name: str) -> Graph:
    """A network from PyTorch, channels first, in int8."""
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    graph = import_module(shaken(make()), (torch.zeros(shape),))
    return quantize_graph(graph, SCHEMES["int8"], samples(graph))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_came_channels_first(name: str) -> None:
    """They leave so, both ends."""
    graph = imported(name)
    found = agreement(graph, "onnx")
    assert all(layer.largest <= 1 for layer in found.layers)
    assert all(output.largest <= 1 for output in found.outputs)
    shape = NETWORKS[name][1]
    model = onnx.load_from_string(to_bytes(graph, "onnx"))
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == list(shape)


def operators(graph: Graph) -> list[str]:
    """Those that compute, in order."""
    content = to_bytes(graph, "onnx")
    assert content == to_bytes(graph, "onnx")
    ends = ("QuantizeLinear", "DequantizeLinear", "Identity")
    nodes = onnx.load_from_string(content).graph.node
    return [node.op_type for node in nodes if node.op_type not in ends]


@pytest.mark.parametrize(("scheme", "opset"), [("f32", 13), ("int8", 13), ("int16x8", 21)])
def test_the_model_is_what_the_standard_says(scheme: str, opset: int) -> None:
    """Checked with its shapes; float32 at both ends; a scale for each channel along its axis."""
    model = onnx.load_from_string(to_bytes(whole("residual", scheme), "onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [opset]
    ends = [*model.graph.input, *model.graph.output]
    assert {end.type.tensor_type.elem_type for end in ends} == {onnx.TensorProto.FLOAT}
    assert [end.name for end in ends] == ["x", "softmax"]
    arrays = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    if scheme == "f32":
        return
    scale = next(array for name, array in arrays.items() if "folded.weight/scale" in name)
    assert scale.shape == (4,)
    assert {str(a.dtype) for n, a in arrays.items() if n.endswith("bias/stored")} == {"int32"}


def flattened(axes: tuple[int, ...], last: bool = False) -> Graph:
    """A map that becomes a vector."""
    sketch = Sketch()
    x = sketch.input("x", 1, 4, 3, 2)
    w, b = sketch.const("w", 3, 2, 2, 2), sketch.const("b", 3)
    conv = sketch.op("conv", Conv(), x, w, b)
    flat = sketch.op("relu", Relu(), sketch.op("flat", Reshape((1, 18)), conv))
    weights = sketch.const("v", 5, 18), sketch.const("c", 5)
    graph = sketch.graph(flat if last else sketch.op("dense", Dense(), flat, *weights))
    return replace_node(graph, replace(graph["x"], op=Input((1, 4, 3, 2), axes)))


def test_transposes_only_where_they_are_needed() -> None:
    """Dense layers take the order as it comes; who sees the vector gets ours."""
    assert operators(flattened((0, 2, 3, 1))) == ["Conv", "Reshape", "Relu", "Gemm"]
    assert operators(flattened(())) == ["Transpose", "Conv", "Reshape", "Relu", "Gemm"]
    seen = ["Conv", "Transpose", "Reshape", "Relu"]
    assert operators(flattened((0, 2, 3, 1), last=True)) == seen
    for graph in (flattened((0, 2, 3, 1)), flattened(()), flattened((0, 1, 3, 2), last=True)):
        assert all(output.largest < 1e-5 for output in agreement(graph, "onnx").outputs)


def test_a_pixel_is_found_as_we_find_it() -> None:
    """Where float32 would miss one, by a Gather."""
    for after, before, kind in ((6, 3, "Resize"), (2, 14, "Gather")):
        graph = case_graph((Resize((after,)), [(1, before, 2)]))
        assert operators(graph) == ["Transpose", kind, "Transpose"]


def test_every_reason_is_told() -> None:
    """All nodes in one message."""
    sketch = Sketch()
    x = sketch.input("x", 1, 4, 4, 2)
    far = ConvTranspose((1, 1), (0, -1, 0, 0))
    first = sketch.op("first", far, x, sketch.const("w", 2, 2, 2, 2), sketch.const("b", 2))
    second = sketch.op("second", far, first, sketch.const("v", 1, 2, 2, 2), sketch.const("c", 1))
    with pytest.raises(UnsupportedError) as raised:
        to_bytes(sketch.graph(second), "onnx")
    reason = "it adds as many pixels as a stride or more, ONNX adds fewer"
    assert str(raised.value) == f"first: {reason}; second: {reason}"
    with pytest.raises(UnsupportedError, match="y: it rounds down, ONNX rounds to the nearest"):
        to_bytes(graph_of("conv-odd", "floor"), "onnx")


@pytest.mark.parametrize("counted", [True, False])
def test_an_average_is_of_what_it_says(counted: bool) -> None:
    """Padding counted or not, as the op has it."""
    op = AvgPool((3, 3), (2, 2), (1, 1, 1, 1), count_pads=counted)
    (output,) = agreement(case_graph((op, [(1, 6, 5, 4)])), "onnx").outputs
    assert output.largest < 1e-6


@pytest.mark.parametrize("name", ["softmax-one", "conv-odd", "avg_pool-odd", "dense-odd"])
def test_graph_optimizations_are_welcome(name: str) -> None:
    """As users run it: onnxruntime finds its integer kernels, and they are right."""
    graph = graph_of(name, "int8")
    reals = inputs_of(graph, 2, spread=1.5)["i0"]
    session = onnxruntime.InferenceSession(
        to_bytes(graph, "onnx"), providers=["CPUExecutionProvider"]
    )
    ours = interpret(graph, stored(graph, {"i0": reals}))["y"]
    found = np.concatenate([session.run(None, {"i0": row[None]})[0] for row in reals])
    steps = found / graph["y"].type.stored.scale[0] + graph["y"].type.stored.zero
    assert np.abs(steps - ours).max() <= 1.01
