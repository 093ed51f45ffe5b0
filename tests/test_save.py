# SPDX-License-Identifier: Apache-2.0
"""A .mai file is the graph, and anything else is refused with a sentence."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from microai.errors import MicroaiError, UnsupportedError
from microai.save import load, model_id, to_bytes
from tests.graphs import GRAPHS, quantized


@pytest.mark.parametrize("name", GRAPHS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    """Float and integer graphs come back equal, to the last weight."""
    for graph in (GRAPHS[name](), quantized(name), quantized(name, "int8x4")):
        path = tmp_path / "net.mai"
        path.write_bytes(to_bytes(graph))
        back = load(path)
        assert str(back) == str(graph)
        assert back.nodes == graph.nodes
        assert model_id(back) == model_id(graph)
        for key, array in graph.weights.items():
            np.testing.assert_array_equal(back.weights[key], array)
        assert to_bytes(back) == path.read_bytes()


def test_one_changed_weight_changes_the_id() -> None:
    """The id is of graph and weights."""
    graph = quantized("shared")
    before = model_id(graph)
    graph.weights["w"][0, 0] ^= 1
    assert model_id(graph) != before


def edited(path: Path, change, npy: dict[str, bytes] | None = None) -> Path:
    """A good file with its JSON changed, or with other entries."""
    content = {}
    with zipfile.ZipFile(io.BytesIO(to_bytes(quantized("shared")))) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    graph = json.loads(content["graph.json"])
    change(graph)
    content["graph.json"] = json.dumps(graph).encode()
    content |= npy or {}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def array_bytes(array: np.ndarray, *, pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickle)
    return buffer.getvalue()


HUGE = (
    np.lib.format.magic(1, 0)
    + b"\x76\x00"
    + (b"{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999, 6), }".ljust(117) + b"\n")
)
BAD = {
    "version": (lambda g: g.update(version=99), None, "expected version 1"),
    "op": (lambda g: g["nodes"][4].update(op="Eval"), None, "'Eval', which this microai"),
    "attribute": (lambda g: g["nodes"][4]["attributes"].update(clamp="x"), None, "first"),
    "unknown attribute": (lambda g: g["nodes"][4]["attributes"].update(x=1), None, "first"),
    "shape": (lambda g: g["nodes"][0].update(shape=[1, -6]), None, "shape"),
    "wrong shape": (lambda g: g["nodes"][4].update(shape=[1, 7]), None, "its op gives"),
    "input": (lambda g: g["nodes"][4].update(inputs=["nowhere", "w", "b"]), None, "nowhere"),
    "too few inputs": (lambda g: g["nodes"][4].update(inputs=["x"]), None, "first"),
    "output": (lambda g: g.update(outputs=["x"]), None, "not computed"),
    "scale": (lambda g: g["nodes"][0]["quant"].update(scale=[0.0]), None, "positive"),
    "weight zero": (lambda g: g["nodes"][1]["quant"].update(zero=5), None, "bars"),
    "bias scale": (lambda g: g["nodes"][2]["quant"].update(scale=[9.0] * 6), None, "insists"),
    "two scales": (lambda g: g["nodes"][0]["quant"].update(scale=[1.0, 2.0]), None, "2 scales"),
    "few scales": (lambda g: g["nodes"][1]["quant"].update(scale=[1.0, 2.0]), None, "2 scales"),
    "half float": (lambda g: g["nodes"][0].update(quant=None), None, "mixes integers and floats"),
    "place": (lambda g: g["nodes"][0].update(place="flash"), None, "expected arena or state"),
    "extra key": (lambda g: g.update(surprise=1), None, "surprise"),
    "pickle": (lambda _: None, {"w0.npy": array_bytes(np.array([{}], object), pickle=True)}, "w0"),
    "other weight": (lambda _: None, {"w0.npy": array_bytes(np.zeros((2, 2), np.int8))}, "w0.npy"),
    "short weight": (lambda _: None, {"w0.npy": array_bytes(np.zeros((6, 6), np.int8))[:-1]}, "35"),
    "huge weight": (lambda _: None, {"w0.npy": HUGE}, "99999999999"),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_files_end_in_a_sentence(name: str, tmp_path: Path) -> None:
    """With exit code 3, and no array is allocated on a header's word."""
    change, npy, words = BAD[name]
    with pytest.raises(UnsupportedError) as raised:
        load(edited(tmp_path / "bad.mai", change, npy))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", bytes(1000)])
def test_files_that_are_no_zip(content: bytes, tmp_path: Path) -> None:
    """Nor is there a traceback for these."""
    path = tmp_path / "bad.mai"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match="not a readable .mai"):
        load(path)


def test_damage_anywhere_is_caught(tmp_path: Path) -> None:
    """Every truncation and many flipped bytes: an error of ours, or the same graph."""
    good = to_bytes(quantized("scaled_dense"))
    path = tmp_path / "bad.mai"
    for at in range(0, len(good), 23):
        for damaged in (good[:at], good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :]):
            path.write_bytes(damaged)
            try:
                assert load(path)
            except MicroaiError as error:
                assert "\n" not in str(error)  # noqa: PT017  either outcome is right
