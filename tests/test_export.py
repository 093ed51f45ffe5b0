# SPDX-License-Identifier: Apache-2.0
"""The command `export`, and the comparison it makes."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microai.agreement import compare, extract
from microai.errors import DeviceError, UnsupportedError
from microai.exchange import export_source
from microai.export import FORMATS, to_bytes
from microai.graph import Graph, verify
from microai.interpret import interpret
from microai.ops import Activation, AvgPool, Dense, Softmax
from microai.oracle import RUNTIMES, oracle_of
from microai.pipeline import Recipe, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.samples import stored
from microai.source import Question, open_source, with_samples
from microai.verdict import FLOAT_TOLERANCE
from tests.cases import Case
from tests.cases.activation import bend
from tests.drawn import drawn_cases
from tests.exported import agreement, graph_of, runtime
from tests.graphs import GRAPHS, Sketch, quantized, renamed, samples
from tests.ladder import case_graph, inputs_of
from tests.test_cli import TINY, Result


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_file_and_how_far_its_runtime_is(kind: str, samples: Path, tmp_path: Path) -> None:
    """As a table or JSON; twice the same bytes; nothing else is written."""
    file = tmp_path / f"net.{kind}"
    arguments = ("export", TINY, "--to", kind, "-o", str(file), "--calibration", str(samples))
    result = Result(*arguments)
    assert result.code == 0
    assert "whole network" in result.stdout
    first = file.read_bytes()
    facts = json.loads(Result(*arguments, "--json").stdout)
    assert file.read_bytes() == first
    assert facts["schema"] == "microai.export/1"
    assert (facts["format"], facts["scheme"], facts["bytes"]) == (kind, "int8", len(first))
    assert facts["agreement"]["samples"] == 12
    layers = facts["agreement"]["layers"]
    assert [layer["op"] for layer in layers] == ["Conv", "Reshape", "Dense"]
    assert all(layer["largest"] <= 1 for layer in [*layers, *facts["agreement"]["outputs"]])
    assert {path.name for path in tmp_path.iterdir()} == {"data.npz", file.name}


def test_floats_need_no_samples(tmp_path: Path) -> None:
    """Random ones are compared."""
    file = tmp_path / "net.onnx"
    arguments = ("export", TINY, "--to", "onnx", "--scheme", "f32", "-o", str(file), "--json")
    facts = json.loads(Result(*arguments).stdout)
    assert facts["scheme"] == "f32"
    assert facts["agreement"]["outputs"][0]["largest"] < 1e-5


def test_a_normalized_input_is_said(samples: Path, tmp_path: Path) -> None:
    """The caller does it, as in C."""
    said: list[str] = []
    question = Question(TINY, calibration=samples, normalize="zscore")
    source = with_samples(open_source(question, said.append), 0, said.append)
    export_source(source, Recipe(), "tflite", tmp_path / "net.tflite", said.append)
    mean, std = (getattr(np.load(samples)["X"].astype(float), of)() for of in ("mean", "std"))
    line = next(line for line in said if line.startswith("input input: the caller makes it (x - ["))
    found = [float(part.strip("[]")) for part in re.findall(r"\[[^]]*\]", line)]
    assert found == pytest.approx([mean, std], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--to", "keras"), 2, "--to is 'keras', expected tflite or onnx"),
        (("--to", "onnx"), 2, "integers need real samples"),
        (("--to", "tflite", "--scheme", "int4"), 2, "--scheme is 'int4'"),
        (("--to", "tflite", "--scheme", "qmn16"), 3, "0: its weights are int16"),
        (("--to", "onnx", "--rounding", "floor"), 3, "0: it rounds down, ONNX rounds to the"),
    ],
)
def test_refusals(
    arguments: tuple[str, ...], code: int, words: str, samples: Path, tmp_path: Path
) -> None:
    """A sentence, an exit code, and no file."""
    if code == 3:
        arguments = (*arguments, "--calibration", str(samples))
    result = Result("export", TINY, "-o", str(tmp_path / "net"), *arguments)
    assert result.code == code
    assert words in result.message
    assert not (tmp_path / "net").exists()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Said before anything takes time."""
    result = Result("export", TINY, "--to", "onnx", "-o", str(tmp_path))
    assert result.code == 2
    assert "cannot write: it is a folder" in result.message


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_missing_library_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that has it."""
    for name in [n for n in sys.modules if n.startswith(f"microai.export.{kind}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, kind, None)
    for name in [n for n in sys.modules if n.startswith(f"{kind}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DeviceError, match=rf"not installed: pip install 'microai\[{kind}\]'"):
        to_bytes(quantized("shared"), kind)


def test_without_a_runtime_the_file_is_written(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """And a line says that nothing was compared."""
    monkeypatch.setitem(RUNTIMES, "onnx", (("none-such", "none_such", RUNTIMES["onnx"][0][2]),))
    file = tmp_path / "net.onnx"
    arguments = ("export", TINY, "--to", "onnx", "-o", str(file), "--calibration", str(samples))
    result = Result(*arguments, "--json")
    assert json.loads(result.stdout)["agreement"] is None
    assert file.stat().st_size > 0


def test_a_runtime_that_fails_is_an_error(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own words; the file is there for whoever wants to look into it."""

    def fails(*_: object) -> None:
        raise RuntimeError("no kernel\nfor this")

    monkeypatch.setitem(RUNTIMES, "onnx", (("onnxruntime", "onnxruntime", fails),))
    file = tmp_path / "net.onnx"
    arguments = ("--to", "onnx", "-o", str(file), "--calibration", str(samples))
    result = Result("export", TINY, *arguments)
    assert result.code == 5
    assert result.message.endswith("does not run ('3',): no kernel for this")
    assert file.exists()


def test_the_command_line_starts_without_the_libraries() -> None:
    """They are imported when a file is written."""
    code = (
        "import sys; from microai import cli; "
        "names = {'onnx', 'onnxruntime', 'tflite', 'flatbuffers', 'ai_edge_litert', 'torch'}; "
        "assert not names & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_nodes_may_be_called_anything(kind: str) -> None:
    """Also what the writers would call their own."""
    names = {"x": "a", "first": "a/stored", "relu": "a/real", "second": "a b", "sum": "a/Relu"}
    graph = renamed(quantized("shared"), names)
    found = agreement(graph, kind)
    assert [output.name for output in found.outputs] == ["a/Relu", "out"]
    assert all(difference.largest <= 1 for difference in (*found.outputs, *found.layers))


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_layers_that_share_a_weight_share_it_in_the_file(kind: str) -> None:
    """Both formats: it is there once."""
    sketch = Sketch()
    x, w, b = sketch.input("x", 1, 64), sketch.const("w", 64, 64), sketch.const("b", 64)
    once = sketch.op("once", Dense(), x, w, b)
    content = to_bytes(sketch.graph(sketch.op("twice", Dense(), once, w, b)), kind)
    assert 4 * 64 * 64 < len(content) < 5 * 64 * 64


@pytest.mark.parametrize("name", GRAPHS)
def test_an_extracted_layer_does_what_it_did(name: str) -> None:
    """Alone, on the inputs it had."""
    graph = quantized(name)
    values = interpret(graph, stored(graph, samples(graph)))
    for node in graph.steps:
        alone = extract(graph, node.name)
        verify(alone)
        found = interpret(alone, {source.name: values[source.name] for source in alone.inputs})
        np.testing.assert_array_equal(found[node.name], values[node.name])


def test_runtimes_say_their_version() -> None:
    """So that a difference can be looked into."""
    for kind in RUNTIMES:
        oracle = oracle_of(kind)
        assert oracle
        assert oracle.name.split()[1][0].isdigit()


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
@pytest.mark.parametrize("name", ["residual", "branches"])
def test_layers_with_schemes_of_their_own(name: str, kind: str) -> None:
    """int8, int16 and float32 meet in conversions."""
    graph = GRAPHS[name]()
    layers = {"residual": ("conv", "dense"), "branches": ("up", "mean")}[name]
    own = dict(zip(layers, (SCHEMES["int16x8"], SCHEMES["f32"]), strict=True))
    graph = quantize_graph(graph, SCHEMES["int8"], samples(graph), own)
    found = agreement(graph, kind)
    assert {node.type.dtype for node in graph.steps} >= {"int8", "int16", "float32"}
    assert all(layer.largest <= 1 for layer in found.layers)
    assert all(output.largest <= 1 for output in found.outputs)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
@given(case=drawn_cases(), scheme=st.sampled_from(["f32", "int8", "int16x8"]))
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
def test_drawn_layers(kind: str, case: Case, scheme: str) -> None:
    """Any op at any small shape: within a step, or refused with a sentence."""
    graph = case_graph(case)
    if scheme != "f32":
        graph = quantize_graph(graph, SCHEMES[scheme], inputs_of(graph, 1, spread=0.5))
    inputs = stored(graph, inputs_of(graph, 2, spread=1.5))
    try:
        content = to_bytes(graph, kind)
    except UnsupportedError as error:
        assert str(error).startswith("y: ")  # noqa: PT017  what is refused is no failure
        return
    found = compare(graph, kind, content, inputs, runtime(kind)).outputs[0]
    if scheme == "f32":
        largest = np.abs(interpret(graph, inputs)["y"]).max()
        assert found.largest <= FLOAT_TOLERANCE * max(largest, 1)
    else:
        assert found.largest <= (1 if scheme == "int8" else steps_in_int16(graph, kind))


def steps_in_int16(graph: Graph, kind: str) -> float:
    """How far our lines are from a function, LiteRT from its own, and what rounds twice there."""
    node = graph["y"]
    op, (x, *_) = node.op, graph.types(node)
    ours = bend(op, x.stored, node.type.stored) if isinstance(op, Activation) else 0
    if kind == "onnx":
        return 1 + ours
    if isinstance(op, AvgPool) and not op.count_pads:
        return math.prod(op.kernel) / 2 + 1
    return ours + (3 if isinstance(op, Activation | Softmax) else 1)


@pytest.mark.parametrize("kind", FORMATS)
def test_tables_are_refused(kind: str) -> None:
    """They say nothing that another tool could read."""
    with pytest.raises(UnsupportedError, match="y: Lookup is a table; export the network that it"):
        to_bytes(graph_of("lookup-odd", "int8"), kind)
