# SPDX-License-Identifier: Apache-2.0
"""Quantized ONNX in: its storage is kept, no float in between, outputs as onnxruntime's."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from microai.errors import UnsupportedError
from microai.fixedpoint import dequantize
from microai.frontends.onnx import import_onnx
from microai.graph import Graph
from microai.interpret import interpret
from microai.ops import Dequantize, Quantize
from microai.samples import stored
from microai.types import QTensor
from tests.onnx_models import channels_last, deployed, drawn, in_runtime, made, saved

RANDOM = np.random.default_rng(9)


def network() -> onnx.ModelProto:
    """Convolutions, depthwise too, a residual add, pools, a gate, two dense layers."""

    def w(*shape: int) -> np.ndarray:
        return RANDOM.normal(0, 0.4, shape).astype(np.float32)

    nodes = """
        a = Conv<pads=[1,1,1,1]>(x, w1, b1)
        r = Relu(a)
        d = Conv<group=4,pads=[1,1,1,1]>(r, w2, b2)
        s = Add(r, d)
        m = MaxPool<kernel_shape=[2,2],strides=[2,2]>(s)
        c = Conv(m, w3)
        k = Clip(c, l, h)
        g = GlobalAveragePool(k)
        f = Flatten(g)
        e = Gemm<transB=1>(f, w4, b4)
        n = Relu(e)
        y = Gemm<transB=1>(n, w5, b5)
    """
    weights = {"w1": w(4, 3, 3, 3), "b1": w(4), "w2": w(4, 1, 3, 3), "b2": w(4),
               "w3": w(6, 4, 1, 1), "l": np.float32(0), "h": np.float32(6), "w4": w(8, 6),
               "b4": w(8), "w5": w(5, 8), "b5": w(5)}  # fmt: skip
    model = made(f"g (float[1,3,8,8] x) => (float[1,5] y) {{ {nodes} }}", 13, weights)
    return onnx.shape_inference.infer_shapes(model)


class Reader(CalibrationDataReader):
    """Random images."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.samples = iter(drawn(model, 8, seed=1)["x"])

    def get_next(self):
        sample = next(self.samples, None)
        return None if sample is None else {"x": sample}


def quantized(folder: Path, **options) -> onnx.ModelProto:
    """The network as onnxruntime's tool quantizes it."""
    model = network()
    before, after = folder / "float.onnx", folder / "quantized.onnx"
    before.write_bytes(model.SerializeToString())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(before, after, Reader(model), **options)
    return onnx.load(after)


def steps_apart(model: onnx.ModelProto, graph: Graph) -> float:
    """The largest difference of an output in its own steps, over random samples."""
    inputs = drawn(model, 6, seed=2)
    (expected,) = in_runtime(model, inputs)
    (given,) = graph.inputs
    samples = np.stack([deployed(given.op.axes, x)[0] for x in inputs[given.name]])
    values = interpret(graph, stored(graph, {given.name: samples}))
    (name,) = graph.outputs
    quant = graph[name].type.stored
    found = dequantize(QTensor(values[name].astype(np.int64), quant))
    return float(np.abs(found[:, None] - channels_last(expected)).max() / quant.scale[0])


FORMATS = {
    "qdq int8": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt8, "per_channel": True},
    "qdq uint8": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8},
    "qdq int16": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt16},
    "operators int8": {"quant_format": QuantFormat.QOperator, "activation_type": QuantType.QInt8, "per_channel": True},
    "operators uint8": {"quant_format": QuantFormat.QOperator, "activation_type": QuantType.QUInt8},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_storage_is_kept(name: str, tmp_path: Path) -> None:
    """Every op runs in the file's integers, from the input to the output."""
    options = {"weight_type": QuantType.QInt8, **FORMATS[name]}
    model = quantized(tmp_path, **options)
    graph = import_onnx(saved(model, tmp_path))
    kinds = {str(node.op) for node in graph.steps}
    assert kinds | {"Relu"} == {
        "Conv",
        "Relu",
        "DepthwiseConv",
        "Add",
        "MaxPool",
        "AvgPool",
        "Reshape",
        "Dense",
    }
    wanted = "int16" if "16" in name else "int8"
    assert {node.type.dtype for node in (*graph.inputs, *graph.steps)} == {wanted}
    scales = {float(v) for t in model.graph.initializer if "scale" in t.name
              for v in np.ravel(onnx.numpy_helper.to_array(t))}  # fmt: skip
    for node in (*graph.inputs, *graph.steps):
        assert node.type.stored.scale[0] in scales
    assert steps_apart(model, graph) <= (2 if wanted == "int8" else 24)


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of tools that will move
def test_what_pytorch_quantizes(tmp_path: Path) -> None:
    """Its quantization-aware modules, exported as QDQ: scales are those of its observers."""
    from torch.ao import quantization as ao

    net = torch.nn.Sequential(
        ao.QuantStub(), torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(128, 5), ao.DeQuantStub(),
    )  # fmt: skip
    symmetric = torch.per_tensor_symmetric
    observe = ao.FakeQuantize.with_args(
        observer=ao.MovingAverageMinMaxObserver, dtype=torch.qint8, quant_min=-128, quant_max=127
    )
    weigh = ao.FakeQuantize.with_args(
        observer=ao.MinMaxObserver,
        dtype=torch.qint8,
        quant_min=-128,
        quant_max=127,
        qscheme=symmetric,
    )
    net.qconfig = ao.QConfig(activation=observe, weight=weigh)
    prepared = ao.prepare_qat(net.train())
    generator = torch.Generator().manual_seed(3)
    for _ in range(4):
        prepared(torch.randn(8, 3, 8, 8, generator=generator))
    prepared.eval().apply(ao.disable_observer)
    path = tmp_path / "qat.onnx"
    torch.onnx.export(prepared, (torch.zeros(1, 3, 8, 8),), path, dynamo=False, opset_version=13)
    graph = import_onnx(path)
    observers = [m for m in prepared.modules() if isinstance(m, ao.FakeQuantize)]
    scales = {float(m.scale) for m in observers}
    found = {node.type.stored.scale[0] for node in (*graph.inputs, *graph.steps)}
    assert found <= scales
    assert len(found) >= 3
    model = onnx.load(path)
    assert steps_apart(model, graph) <= 2


def wrapped(
    nodes: str, weights: dict, tmp_path: Path, opset: int = 13, given: str = "float[1,3,4,4] x"
) -> Graph:
    return import_onnx(
        saved(made(f"g ({given}) => (float[N] y) {{ {nodes} }}", opset, weights), tmp_path)
    )


Q = "q = QuantizeLinear(x, s, z)\n d = DequantizeLinear(q, s, z)\n"
SCALE = {"s": np.float32(0.05), "z": np.int8(3), "s2": np.float32(0.1), "z2": np.int8(0)}


def test_storage_goes_through_what_only_moves(tmp_path: Path) -> None:
    """Pools, rectifiers, turns in front of a quantization, or behind it, run in its integers."""
    nodes = (
        Q
        + """
        t = Transpose<perm=[0,1,3,2]>(d)
        r = Relu(t)
        c = Slice(r, one, four, one)
        m = MaxPool<kernel_shape=[2,2]>(c)
        y1 = QuantizeLinear(m, s, z)
        y = DequantizeLinear(y1, s, z)
    """
    )
    lists = {"one": np.asarray([1]), "four": np.asarray([3])}
    graph = wrapped(nodes, {**SCALE, **lists}, tmp_path)
    assert {node.type.dtype for node in graph.steps} == {"int8"}
    assert not any(isinstance(node.op, Quantize | Dequantize) for node in graph.steps)


def test_what_has_no_storage_stays_float(tmp_path: Path) -> None:
    """A layer nobody quantized runs as the model says, between conversions."""
    nodes = (
        Q
        + "e = Sigmoid(d)\n h = Tanh(e)\n y1 = QuantizeLinear(h, s, z)\n y = DequantizeLinear(y1, s, z)"
    )
    graph = wrapped(nodes, SCALE, tmp_path)
    assert [f"{n.op}:{n.type.dtype}" for n in graph.steps] == [
        "Dequantize:float32", "Sigmoid:float32", "Tanh:float32", "Quantize:int8",
    ]  # fmt: skip


def test_another_scale_is_one_rescale(tmp_path: Path) -> None:
    """Integers to integers, without float."""
    nodes = Q + "r = Relu(d)\n y1 = QuantizeLinear(r, s2, z2)\n y = DequantizeLinear(y1, s2, z2)"
    graph = wrapped(nodes, SCALE, tmp_path)
    assert [f"{n.op}:{n.type.dtype}" for n in graph.steps] == ["Relu:int8", "Quantize:int8"]


def test_a_constant_for_each_channel_is_exact_in_integers(tmp_path: Path) -> None:
    """Factors and shifts of a quantized tensor: within one step of the real numbers."""
    nodes = (
        Q
        + "f = Mul(d, c)\n e = Add(f, b)\n y1 = QuantizeLinear(f, s2, z2)\n y = DequantizeLinear(y1, s2, z2)"
    )
    factors = np.asarray([0.5, -2.0, 0.0], np.float32).reshape(3, 1, 1)
    graph = wrapped(nodes, {**SCALE, "c": factors, "b": factors}, tmp_path)
    assert {node.type.dtype for node in graph.steps} == {"int8"}


BAD = {
    "two meanings": ("e = DequantizeLinear(i, s, z)\n f = DequantizeLinear(i, s2, z)\n y = Add(e, f)", "its scale is not the one"),
    "computed integers": ("a = Add(i, i)\n y = DequantizeLinear(a, s, z)", "it computes with integers; use Deq"),
    "no integers": ("y = DequantizeLinear(d, s, z)", "it dequantizes what is no integer"),
    "weights off centre": ("y = QLinearConv(q, s, z, w, s, wz, s, z)", "its weights have zero point 90"),
    "another scale": ("y = DequantizeLinear(q, s2, z)", "its scale is not the one it was quantized with"),
    "blocks": ("y = DequantizeLinear<block_size=2>(q, s, z)", "a scale for each block"),
    "channels": ("y = QuantizeLinear<axis=1>(d, s3, z3)", "an activation has a scale for each channel"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_integers_cannot_hold(name: str, tmp_path: Path) -> None:
    """A sentence each."""
    nodes, words = BAD[name]
    weights = {**SCALE, "w": np.full((2, 3, 1, 1), -100, np.int8), "wz": np.int8(90),
               "s3": np.full(3, 0.1, np.float32), "z3": np.zeros(3, np.int8)}  # fmt: skip
    given = "float[1,3,4,4] x, int8[1,3,4,4] i"
    with pytest.raises(UnsupportedError) as raised:
        wrapped(Q + nodes, weights, tmp_path, opset=21 if name == "blocks" else 13, given=given)
    assert words in str(raised.value)
