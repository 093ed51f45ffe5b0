# SPDX-License-Identifier: Apache-2.0
"""ONNX in: what onnxruntime computes, and one message for all that is unsupported."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from microai.errors import UnsupportedError, UsageError
from microai.frontends import load_model
from microai.frontends.onnx import import_onnx
from microai.ops import Conv, Dense, DepthwiseConv
from tests.networks import shaken
from tests.onnx_cases import IMAGE, MEANT, VECTOR, w
from tests.onnx_models import assert_same, made, saved


@pytest.mark.parametrize("name", MEANT)
def test_imports_mean_the_same(name: str, tmp_path: Path) -> None:
    """As onnxruntime with its optimizations off."""
    opset, given, nodes, weights = MEANT[name]
    assert_same(made(f"g ({given}) => (float[N] y) {{ {nodes} }}", opset, weights), tmp_path)


@pytest.mark.parametrize("name", [name for name in MEANT if name.startswith("last, ")])
def test_channels_last_stay_so(name: str, tmp_path: Path) -> None:
    """What the model turned lies as the model says from there on: nothing is moved."""
    opset, given, nodes, weights = MEANT[name]
    nodes = "k = Conv(x, cw)\n " + nodes.replace("(x)", "(k)", 1)
    weights = {**weights, "cw": w(3, 3, 1, 1)}
    model = made(f"g ({given}) => (float[N] y) {{ {nodes} }}", opset, weights)
    graph = assert_same(model, tmp_path)
    assert "Transpose" not in {str(node.op) for node in graph.steps}


@pytest.mark.parametrize("name", ["nhwc", "flatten", "reshape", "shape"])
def test_turns_and_flattens_cost_nothing(name: str, tmp_path: Path) -> None:
    """Weights are reordered instead."""
    opset, given, nodes, weights = MEANT[name]
    graph = assert_same(
        made(f"g ({given}) => (float[N] y) {{ {nodes} }}", opset, weights), tmp_path
    )
    kinds = [str(node.op) for node in graph.steps]
    assert "Transpose" not in kinds
    assert kinds.count("Reshape") == 1


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_what_pytorch_exports(tmp_path: Path) -> None:
    """Its exporter's names and shapes arithmetic; numbers as PyTorch's."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(),
        torch.nn.MaxPool2d(2), torch.nn.Conv2d(8, 8, 3, groups=8), torch.nn.Hardswish(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 5),
    )  # fmt: skip
    shaken(module)
    path = tmp_path / "net.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 12, 12),), path, verbose=False)
    model = onnx.load(path)
    graph = assert_same(model, tmp_path)
    assert {type(n.op) for n in graph.steps} >= {Conv, DepthwiseConv, Dense}


REFUSED = {
    "unknown": (
        "y = LSTM<hidden_size=3>(x, w, w)",
        "LSTM: recurrent layers are not built yet; use",
    ),
    "foreign": ("y = other.Magic(x)", "'Magic' of domain 'other' is a custom operator of another"),
    "made up": ("y = RequantShift(x)", "it is no operator of ONNX but another tool's"),
    "computed weights": ("r = Relu(x)\n y = Conv(x, r)", "its input 1 is computed; use a constant"),
    "ratio": ("r = Relu(x)\n y = Div(x, r)", "it divides by a computed tensor; use a product"),
    "ceil": ("y = MaxPool<kernel_shape=[3,3],strides=[2,2],ceil_mode=1>(x)", "a partial window"),
    "no gelu": (
        "a = Div(x, w1)\n b = Erf(a)\n y = Mul(b, x)",
        "Erf: no such op here; use an export to opset 20",
    ),
    "pixels": (
        'y = Resize<mode="nearest",nearest_mode="ceil">(x, , s)',
        "it stretches 8 pixels to 16 by ('half_pixel', 'ceil'); use asymmetric and floor",
    ),
    "linear": ('y = Resize<mode="linear">(x, , s)', "its mode is linear; use nearest"),
    "statistics": ("y = BatchNormalization(x, w, w, w, w)", "its statistics are"),
    "nowhere": ("y = Add(x, nowhere)", "it reads 'nowhere', which nothing makes before it"),
    "batch": ("y = Concat<axis=0>(x, x)", "it works along the batch"),
    "scale": ("y = QuantizeLinear(x, n, z)", "its scale is [-1.0]; use positive finite numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_what_to_use(name: str, tmp_path: Path) -> None:
    """The tensor's name, the operator, why, what instead."""
    nodes, words = REFUSED[name]
    weights = {"w": w(2, 5), "w1": np.float32(2), "s": np.asarray([1, 1, 2, 2], np.float32),
               "n": np.float32(-1), "z": np.int8(0)}  # fmt: skip
    model = made(f"g ({IMAGE}) => (float[N] y) {{ {nodes} }}", 13, weights)
    with pytest.raises(UnsupportedError) as raised:
        import_onnx(saved(model, tmp_path))
    assert words in str(raised.value)
    assert raised.value.exit_code == 3


def test_every_reason_is_listed(tmp_path: Path) -> None:
    """Once each; nothing that only follows from another."""
    nodes = "a = Erf(x)\n b = Relu(a)\n c = Mish(x)\n y = Add(b, c)"
    model = made(f"g ({IMAGE}) => (float[N] y) {{ {nodes} }}", 18, {})
    with pytest.raises(UnsupportedError) as raised:
        import_onnx(saved(model, tmp_path))
    assert str(raised.value).splitlines() == [
        "cannot deploy this network:",
        "  a: Erf: no such op here; use an export to opset 20 or newer, which has Gelu",
        "  c: Mish: no such op here; use x * Sigmoid(x)",
    ]


def test_external_data_stays_in_its_folder(tmp_path: Path) -> None:
    """Beside the model it is read; from elsewhere it is not, by whatever path."""
    folder, secret = tmp_path / "model", tmp_path / "secret.bin"
    folder.mkdir()
    model = made(f"g ({VECTOR}) => (float[N] y) {{ y = MatMul(x, w) }}", 13, {"w": w(12, 3)})
    whole = onnx.load_from_string(model.SerializeToString())
    onnx.save(
        model, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    moved = onnx.load(folder / "m.onnx", load_external_data=False)
    assert moved.graph.initializer[0].data_location == onnx.TensorProto.EXTERNAL
    found = import_onnx(folder / "m.onnx")
    np.testing.assert_array_equal(
        found.weights["w"], import_onnx(saved(whole, tmp_path)).weights["w"]
    )
    secret.write_bytes((folder / "w.bin").read_bytes())
    (folder / "link.bin").symlink_to(secret)
    for place in ("../secret.bin", str(secret), "link.bin", "", "x" * 300):
        entry = next(e for e in moved.graph.initializer[0].external_data if e.key == "location")
        entry.value = place
        (folder / "m.onnx").write_bytes(moved.SerializeToString())
        with pytest.raises(UnsupportedError, match="expected in the model's folder"):
            import_onnx(folder / "m.onnx")


def test_open_sizes_come_from_the_command(tmp_path: Path) -> None:
    """An open batch is 1; other sizes need --input-shape."""
    model = made("g (float[N,3,H,W] x) => (float[N] y) { y = Relu(x) }", 13, {})
    path = saved(model, tmp_path)
    with pytest.raises(UnsupportedError, match="use --input-shape"):
        load_model(str(path))
    assert load_model(str(path), (1, 3, 5, 7)).inputs[0].type.shape == (1, 5, 7, 3)
    with pytest.raises(UsageError, match="--input-shape"):
        load_model(str(path), (1, 4, 5, 7))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07", os.urandom(1000)])
def test_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    """A sentence."""
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(UnsupportedError, match=r"damaged|opset"):
        load_model(str(tmp_path / "m.onnx"))
