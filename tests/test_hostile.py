# SPDX-License-Identifier: Apache-2.0
"""Model files from anyone: what once broke a reader, and files changed at random."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from microai.errors import UnsupportedError
from microai.export import to_bytes
from microai.frontends import load_model, onnx_file, tflite, tflite_file
from microai.frontends.tflite import import_tflite
from microai.frontends.tflite_file import File, Operator, Tensor
from tests.fuzz import CHANGES, fuzz
from tests.graphs import quantized
from tests.onnx_models import made

VECTOR = "float[1,12] x"


def refused(content: bytes, ending: str, folder: Path) -> str:
    """Why a file cannot be deployed."""
    path = folder / f"model{ending}"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError) as raised:
        load_model(str(path))
    return str(raised.value)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Protobuf gives them as bytes."""
    model = made(f"g ({VECTOR}) => (float[N] y) {{ aname = Erf(x)\n y = Relu(aname) }}", 13, {})
    content = model.SerializeToString().replace(b"aname", b"a\xff\xfeme")
    assert "Erf: no such op here" in refused(content, ".onnx", tmp_path)


@pytest.mark.parametrize(
    ("nodes", "weights", "words"),
    [
        ("y = Add(x, w)", {"w": np.zeros((3, 5), np.float32)}, "a constant (3, 5) enlarges"),
        ("y = DequantizeLinear<axis=0>(w, s)", {"w": np.zeros((4, 2), np.int8), "s": np.ones(2, np.float32)}, "2 scales along axis 0"),
        ("q = QuantizeLinear<axis=0>(w, s, z)\n d = DequantizeLinear<axis=0>(q, s, z)\n y = MatMul(x, d)",
         {"w": np.zeros((12, 2), np.float32), "s": np.ones(3, np.float32), "z": np.zeros(3, np.int8)}, "3 scales along axis 0"),
        ("y = Reshape(x, s)", {"s": np.asarray([1 << 40, -1])}, "it makes"),
        ("s = ConstantOfShape(n)\n y = Add(x, s)", {"n": np.asarray([1 << 30, 1 << 30])}, "cannot be computed"),
        ("y = Pad(x, p)", {"p": np.asarray([0, 1 << 40, 0, 0])}, "it pads by"),
        ("y = Expand(w, n)\n z = Add(x, y)", {"w": np.zeros(1, np.float32), "n": np.asarray([1 << 20, 1 << 20])}, "cannot be computed"),
        ("c = Cast<to=0>(w)\n y = Add(x, c)", {"w": np.zeros(1, np.float32)}, "it converts to type 0"),
        ("d = DequantizeLinear(w, s)\n e = Sum(d, d)\n y = Add(x, e)", {"w": np.zeros(1, np.int8), "s": np.float32(1)}, "both of its operands are constant"),
        ("y = QuantizeLinear(x, s, z)", {"s": np.float32(1e-45), "z": np.int8(0)}, "use positive finite numbers"),
        ("y = Gemm<alpha=1e38>(x, w)", {"w": np.full((12, 2), 1e30, np.float32)}, "has 24 NaN or infinite values"),
        ("y = Relu(y)", {}, "it reads 'y', which nothing makes before it"),
        ("y = Squeeze(x, a)", {"a": np.asarray([7])}, "its axis is 7"),
    ],
)  # fmt: skip
def test_onnx_that_makes_no_sense(nodes: str, weights: dict, words: str, tmp_path: Path) -> None:
    """A sentence each, and no memory for what only claims to be large."""
    model = made(f"g ({VECTOR}) => (float[N] y) {{ {nodes} }}", 13, weights)
    assert words in refused(model.SerializeToString(), ".onnx", tmp_path)


def chain(op: str, count: int) -> bytes:
    nodes = [helper.make_node(op, [f"t{i}"], [f"t{i + 1}"]) for i in range(count)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("t0", 1, (1, 4))],
        [helper.make_tensor_value_info(f"t{count}", 1, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


def test_networks_that_are_too_long(tmp_path: Path) -> None:
    """What would take minutes is refused by its size; what is just in time is taken."""
    assert "it has 1025 nodes, expected 1024 at most" in refused(
        chain("Tanh", 1025), ".onnx", tmp_path
    )
    model = made("g (float[1,3000] x) => (float[N] y) { y = Relu(x) }", 18, {})
    model.graph.node.append(
        helper.make_node("Split", ["x"], [f"s{i}" for i in range(3000)], axis=1, num_outputs=3000)
    )
    assert "over 2048 nodes and weights" in refused(model.SerializeToString(), ".onnx", tmp_path)
    (tmp_path / "long.onnx").write_bytes(chain("Identity", 1000))
    assert [str(n.op) for n in load_model(str(tmp_path / "long.onnx")).steps] == ["Reshape"]


def test_a_tensor_that_claims_to_be_large(tmp_path: Path) -> None:
    """Sizes are counted before anything is made of them."""
    model = made(
        f"g ({VECTOR}) => (float[N] y) {{ y = MatMul(x, w) }}",
        13,
        {"w": np.zeros((12, 3), np.float32)},
    )
    model.graph.initializer[0].dims[0] = 1 << 50
    assert "tensor 'w' is float32" in refused(model.SerializeToString(), ".onnx", tmp_path)
    model.graph.initializer[0].dims[0] = -12
    assert "tensor 'w' is float32" in refused(model.SerializeToString(), ".onnx", tmp_path)


@pytest.mark.parametrize("ending", [".onnx", ".tflite"])
def test_files_that_are_too_large(ending: str, tmp_path: Path, monkeypatch) -> None:
    """Before a byte of them is read."""
    module = onnx_file if ending == ".onnx" else tflite_file
    monkeypatch.setattr(module, "LARGEST_FILE", 100)
    assert "larger than 100 bytes" in refused(bytes(101), ending, tmp_path)


def test_tflite_whose_tables_lie_elsewhere(tmp_path: Path) -> None:
    """Offsets beyond the file, lengths beyond reason, other identifiers."""
    content = to_bytes(quantized("scaled_dense"), "tflite")
    assert "not a .tflite file" in refused(b"", ".tflite", tmp_path)
    assert "not a .tflite file" in refused(content[:4] + b"XXXX" + content[8:], ".tflite", tmp_path)
    assert "damaged" in refused(struct.pack("<I", 1 << 30) + content[4:], ".tflite", tmp_path)
    assert "damaged" in refused(content[:40], ".tflite", tmp_path)


def tensor(shape: tuple[int, ...], **what) -> Tensor:
    """float32 without a name, unless told otherwise."""
    plain = Tensor("", shape, "float32", np.empty(0), np.empty(0), 0, None)
    return replace(plain, **what)


LIST = tensor((1,), dtype="int32", data=np.ones(1, np.int32))
WEIGHTS = tensor(
    (2, 3), dtype="int8", data=np.zeros((2, 3), np.int8), scale=np.ones(2), zero=np.zeros(2)
)


@pytest.mark.parametrize(
    ("tensors", "operator", "words"),
    [
        ([tensor((1, 3)), tensor((1, 3)), tensor((1, 3))], Operator("RELU", (0,), (1, 2), {}), "it makes 1 tensors, the file names 2"),
        ([tensor((1, 3)), tensor((1, 2)), replace(WEIGHTS, axis=-7)], Operator("FULLY_CONNECTED", (0, 2), (1,), {}), "2 scales along axis -7"),
        ([tensor((1, 3)), tensor((1, 3))], Operator("RELU", (1,), (1,), {}), "which nothing makes before it"),
        ([tensor((1, 3)), tensor((1, 4))], Operator("RELU", (0,), (1,), {}), "the file says (1, 4), it makes (1, 3)"),
        ([tensor((1, 3)), tensor((1, 3))], Operator("ADD", (0,), (1,), {}), "it has 1 operands"),
        ([tensor((1, 3)), tensor((1, 3), dtype="int8")], Operator("RELU", (0,), (1,), {}), "its scale is []"),
        ([tensor((1, 3)), tensor((1,)), LIST], Operator("SPLIT", (2, 0), (1,), {}), "it splits (1, 3) into ((1,),)"),
        ([tensor((1, 3)), tensor((1, 3)), replace(LIST, data=np.zeros(0, np.int32), shape=(0,))], Operator("SPLIT", (2, 0), (1,), {}), "its axes are []"),
        ([tensor((1, 3)), tensor((1, 1)), replace(LIST, data=np.full(1, 7, np.int32))], Operator("ARG_MAX", (0, 2), (1,), {}), "its axes are [7] of 2"),
        ([tensor((1, 3)), tensor((1, 5)), replace(LIST, data=np.asarray([0, 0, 1, 1], np.int32), shape=(4,)), replace(LIST, data=np.zeros(0, np.float32), shape=(0,))], Operator("PADV2", (0, 2, 3), (1,), {}), "its value is (0,)"),
        ([tensor((2, 3)), tensor((2, 3))], Operator("RELU", (0,), (1,), {}), "it is (2, 3)"),
    ],
)  # fmt: skip
def test_tflite_that_makes_no_sense(
    tensors: list[Tensor], operator: Operator, words: str, monkeypatch
) -> None:
    """A sentence each."""
    file = File(tuple(tensors), (operator,), (0,), (1,))
    monkeypatch.setattr(tflite, "read_file", lambda _: file)
    with pytest.raises(UnsupportedError) as raised:
        import_tflite(Path("model.tflite"))
    assert words in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("ending", CHANGES)
def test_changed_files_are_taken_or_refused(ending: str, tmp_path: Path) -> None:
    """Nothing else, within 5 s each; `python -m tests.fuzz` does as many as one likes."""
    seeds = []
    for name in ("residual", "shared", "branches"):
        seeds.append(tmp_path / f"{name}{ending}")
        seeds[-1].write_bytes(to_bytes(quantized(name), ending.removeprefix(".")))
    found = fuzz(ending, 300, 1, seeds, tmp_path)
    assert set(found) <= {"taken", "refused", "not read"}, found
    assert found["not read"] <= 0.9 * sum(found.values())
