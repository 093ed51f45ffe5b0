# SPDX-License-Identifier: Apache-2.0
"""Exported .tflite files in LiteRT with its reference kernels: within one step a layer.

LiteRT rounds twice where we round once, and its int16 layers have multipliers of 16 bits.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

from microai.errors import UnsupportedError
from microai.export import to_bytes
from microai.graph import Graph, replace_node
from microai.op import Op
from microai.ops import Conv, ConvTranspose, Dense, DepthwiseConv, MaxPool, Relu, Resize
from microai.types import Quant, TensorType
from tests.exported import NAMES, Bound, agreement, cases_of, graph_of, measured, title, whole
from tests.graphs import GRAPHS, Sketch, quantized
from tests.ladder import case_graph

ONE_STEP = Bound(1, 0.06)
COARSE = Bound(1, 0.4)
BOUNDS = {
    ("int8", "avg_pool"): Bound(1, 0.25),  # MEAN: few sums, of which two roundings are seen
    ("int8", "add"): Bound(1, 0.12),
    ("int16x8", "avg_pool"): Bound(2, 0.4),  # 2 where padding is not counted: it rounds twice
    ("int16x8", "conv"): COARSE,
    ("int16x8", "conv_transpose"): COARSE,
    ("int16x8", "depthwise_conv"): COARSE,
    ("int16x8", "leaky_relu"): Bound(1, 0.12),
    ("int16x8", "silu"): Bound(2, 0.5),  # our functions are within 0.8 steps of the real ones,
    ("int16x8", "sigmoid"): Bound(3, 0.7),  # LiteRT's LOGISTIC within 1.7,
    ("int16x8", "tanh"): Bound(3, 0.8),  # its TANH within 2.7, of 1/32768 each,
    ("int16x8", "softmax"): Bound(2, 0.3),  # its SOFTMAX within 1.8, ours within 0.6
}
IMAGE = [(1, 4, 4, 1), (2, 3, 3, 1), (2,)]
MISSING = {"elu": "Elu", "gelu": "Gelu", "gelu_tanh": "GeluTanh", "hard_swish": "HardSwish"}
"""Functions that TFLite has in float32 and int8 alone."""


@pytest.mark.parametrize("op", NAMES)
@pytest.mark.parametrize("scheme", ["f32", "int8", "int16x8"])
def test_every_op_is_within_its_bound(scheme: str, op: str) -> None:
    """And what is not there is refused."""
    for name in cases_of(op, scheme):
        what = title(name)
        if scheme == "int16x8" and what in MISSING:
            with pytest.raises(UnsupportedError, match=f"y: TFLite has no {MISSING[what]} in int1"):
                to_bytes(graph_of(name, scheme), "tflite")
            continue
        found = measured(name, scheme, "tflite")
        bound = BOUNDS.get((scheme, what), ONE_STEP)
        assert found.steps <= (0 if scheme == "f32" else bound.steps), (name, found)
        assert found.share <= bound.share, (name, found)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_whole_networks(name: str, scheme: str) -> None:
    """Each layer on our inputs to it; the outputs a little more."""
    if (name, scheme) == ("tables", "int16x8"):
        with pytest.raises(UnsupportedError, match="TFLite has no HardSwish in int16"):
            to_bytes(whole(name, scheme), "tflite")
        return
    found = agreement(whole(name, scheme), "tflite")
    functions = ("Tanh", "Sigmoid", "Softmax")
    far = [layer for layer in found.layers if layer.largest > (2 if layer.op in functions else 1)]
    assert not far
    assert all(output.largest <= 2 for output in found.outputs)


def parsed(graph: Graph) -> Any:
    """The file by the schema's own reader."""
    content = to_bytes(graph, "tflite")
    assert content[4:8] == b"TFL3"
    assert content == to_bytes(graph, "tflite")
    return tflite.Model.GetRootAs(content, 0)


def codes(model: Any) -> list[int]:
    """The operators in order."""
    main = model.Subgraphs(0)
    indices = [main.Operators(i).OpcodeIndex() for i in range(main.OperatorsLength())]
    entries = [model.OperatorCodes(index) for index in indices]
    assert all(e.DeprecatedBuiltinCode() == e.BuiltinCode() for e in entries)
    return [entry.BuiltinCode() for entry in entries]


def operators(graph: Graph) -> list[str]:
    """Their names."""
    kinds = {v: k for k, v in vars(tflite.BuiltinOperator).items() if k.isupper()}
    return [kinds[code] for code in codes(parsed(graph))]


def test_the_file_is_what_the_schema_says() -> None:
    """Version, interface, a scale for each channel of a weight along its axis, biases."""
    for scheme, bias in (("int8", tflite.TensorType.INT32), ("int16x8", tflite.TensorType.INT64)):
        model = parsed(whole("residual", scheme))
        assert model.Version() == 3
        main = model.Subgraphs(0)
        tensors = [main.Tensors(i) for i in range(main.TensorsLength())]
        by_name = {t.Name().decode(): t for t in tensors}
        assert [tensors[i].Name() for i in main.InputsAsNumpy()] == [b"x"]
        assert [tensors[i].Name() for i in main.OutputsAsNumpy()] == [b"softmax"]
        for name, axis, shape in (("bn.folded.weight", 0, [4, 3, 3, 2]), ("dw", 3, [1, 3, 3, 4])):
            quantization = by_name[name].Quantization()
            assert quantization.QuantizedDimension() == axis
            assert quantization.ScaleLength() == quantization.ZeroPointLength() == shape[axis]
            assert by_name[name].ShapeAsNumpy().tolist() == shape
        assert by_name["bn.folded.bias"].Type() == bias


def test_an_axis_is_an_image_inside_alone() -> None:
    """The interface keeps its rank; one RESHAPE at each end."""
    sketch = Sketch()
    x = sketch.input("x", 1, 12, 2)
    y = sketch.op("y", Conv(clamp=(0, None)), x, sketch.const("w", 4, 3, 2), sketch.const("b", 4))
    graph = sketch.graph(sketch.op("pool", MaxPool((2,), (2,)), y))
    assert operators(graph) == ["RESHAPE", "CONV_2D", "MAX_POOL_2D", "RESHAPE"]
    main = parsed(graph).Subgraphs(0)
    ends = [*main.InputsAsNumpy(), *main.OutputsAsNumpy()]
    assert [main.Tensors(i).ShapeAsNumpy().tolist() for i in ends] == [[1, 12, 2], [1, 5, 4]]
    assert [main.Tensors(i).Name() for i in ends] == [b"x", b"pool"]


@pytest.mark.parametrize(
    ("op", "shapes", "expected"),
    [
        (Conv(pads=(1, 1, 1, 1)), IMAGE, ["CONV_2D"]),
        (Conv((2, 2), (1, 1, 1, 1)), IMAGE, ["PAD", "CONV_2D"]),
        (Conv((2, 2), (0, 1, 0, 1)), IMAGE, ["CONV_2D"]),
        (Conv(clamp=(0, 6)), IMAGE, ["CONV_2D"]),
        (Conv(clamp=(-1, 1)), IMAGE, ["CONV_2D"]),
        (MaxPool((2, 2), (2, 2), (1, 1, 1, 1)), IMAGE[:1], ["PADV2", "MAX_POOL_2D"]),
        (Dense(clamp=(0, 5)), [(1, 4), (2, 4), (2,)], ["FULLY_CONNECTED", "MAXIMUM", "MINIMUM"]),
        (Relu(6), [(1, 4)], ["RELU6"]),
        (Resize((6, 6)), [(1, 3, 3, 1)], ["RESIZE_NEAREST_NEIGHBOR"]),
        (Resize((82, 2)), [(1, 2, 2, 1)], ["GATHER", "GATHER"]),
    ],
)
def test_operators_are_as_few_as_can_be(op: Op, shapes: list, expected: list[str]) -> None:
    """SAME and VALID where they do; limits built in where they are."""
    assert operators(case_graph((op, shapes))) == expected


def test_a_limit_that_storage_has_anyway_is_built_in() -> None:
    """Integers end at 0.5, so that a clamp to 0..0.5 is a RELU."""
    assert operators(graph_of("conv-relu6", "int8"))[-1:] == ["CONV_2D"]


def test_every_reason_is_told() -> None:
    """All nodes, all reasons, in one message."""
    sketch = Sketch()
    x = sketch.input("x", 1, 4, 4, 2)
    far = ConvTranspose((1, 1), (0, -1, 0, 0))
    first = sketch.op("first", DepthwiseConv(), x, sketch.const("w", 2, 2, 2), sketch.const("b", 2))
    last = sketch.op("last", far, first, sketch.const("v", 1, 2, 2, 2), sketch.const("c", 1))
    graph = sketch.graph(last)
    with pytest.raises(UnsupportedError) as raised:
        to_bytes(graph, "tflite")
    assert str(raised.value) == (
        "last: it adds as many pixels as a stride or more, TFLite adds fewer"
    )
    with pytest.raises(UnsupportedError) as raised:
        to_bytes(graph_of("conv-odd", "qmn16-floor"), "tflite")
    assert str(raised.value) == (
        "y: it rounds down, TFLite rounds to the nearest, and its weights are int16, "
        "TFLite's are int8"
    )
    with pytest.raises(UnsupportedError) as raised:
        to_bytes(quantized("residual", "int8x4"), "tflite")
    assert str(raised.value) == "; ".join(
        f"{name}: its weights are int4, TFLite's are int8" for name in ("conv", "branch", "dense")
    )


def test_what_tflite_cannot_hold() -> None:
    """int16 with a zero point, sums beyond int32."""
    graph = graph_of("add-one", "int16x8")
    lopsided = Quant("int16", (0.01,), 7)
    node = replace(graph["y"], type=TensorType((1, 1), lopsided))
    with pytest.raises(UnsupportedError, match="y: its int16 has zero point 7, TFLite's is 0"):
        to_bytes(replace_node(graph, node), "tflite")
    dense = graph_of("dense-odd", "int8")
    weights = {**dense.weights, "i2": np.full((11,), 2**31 - 1, np.int32)}
    with pytest.raises(UnsupportedError, match="y: its sums may leave int32"):
        to_bytes(replace(dense, weights=weights), "tflite")
