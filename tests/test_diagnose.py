# SPDX-License-Identifier: Apache-2.0
"""Where accuracy goes: figures of each layer, other executions, curves, the command."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from microai import diagnose, executions
from microai.curves import curves_svg
from microai.diagnose import Diagnosis
from microai.differences import Execution, Row, rows
from microai.errors import MismatchError
from microai.graph import Graph, apply
from microai.ops import Dense
from microai.passes import FLOAT_PASSES
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.save import model_id, to_bytes
from microai.show import show_diagnosis
from microai.source import Question, Source, open_source
from tests.broken import GUILTY, broken, labels_by
from tests.graphs import GRAPHS, Sketch, quantized
from tests.graphs import samples as drawn
from tests.test_cli import TINY, Result

HALF = Row("half", "Dense", "int8", 20.0, 25.0, 0.99, 1.5, 0.25)


def of(graph: Graph, scheme: str, layers: dict | None = None, calibration=None) -> dict[str, Row]:
    """Rows by name."""
    floats = apply(graph, FLOAT_PASSES)
    reals = drawn(graph, 80)
    integers = quantize_graph(graph, SCHEMES[scheme], calibration or reals, layers)
    return {row.name: row for row in rows(floats, integers, reals)}


def test_figures_by_hand() -> None:
    """y = 2 x + 1 in Q-formats of 1/64 and 1/16: what each step rounds is known."""
    s = Sketch()
    s.op("y", Dense(), s.input("x", 1, 1), s.const("w", 1, 1), s.const("b", 1))
    s.weights["w"][:], s.weights["b"][:] = 2, 1
    graph = s.graph("y")
    calibration = {"x": np.float32([[-1], [1.25]])}
    integers = quantize_graph(graph, SCHEMES["qmn8"], calibration)
    assert (integers["x"].type.stored.scale, integers["y"].type.stored.scale) == (
        (1 / 64,),
        (1 / 32,),
    )
    reals = {"x": np.float32([[0.5], [1 / 256], [3.0]])}  # 3 saturates at 127 / 64
    found = {row.name: row for row in rows(graph, integers, reals)}
    x, y = found["x"], found["y"]
    noise = (1 / 256) ** 2 + (3 - 127 / 64) ** 2
    assert x.snr_db == x.own_snr_db == pytest.approx(10 * np.log10((0.25 + 2**-16 + 9) / noise))
    assert x.largest_steps == pytest.approx((3 - 127 / 64) * 64)
    assert x.saturation == pytest.approx(1 / 3)
    assert (x.op, x.storage, y.op) == ("Input", "int8", "Dense")
    assert y.largest_steps == pytest.approx((7 - 127 / 32) * 32)  # 2 * 127 / 64 + 1 leaves it too
    assert y.saturation == pytest.approx(1 / 3)


def test_the_broken_layer_is_named() -> None:
    """All behind it suffer, it alone is guilty."""
    found = of(broken(), "int8")
    own = {name: row.own_snr_db for name, row in found.items()}
    assert min(own, key=own.__getitem__) == GUILTY
    assert own[GUILTY] < min(value for name, value in own.items() if name != GUILTY) - 10
    assert found["third"].snr_db < own["third"] - 10
    assert found["first"].snr_db > found[GUILTY].snr_db + 10
    reply = Diagnosis("m", "int8", 80, tuple(found.values()), (), None)
    assert reply.guilty.name == GUILTY


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scheme", ["int8", "qmn16"])
def test_every_tensor_has_a_row(name: str, scheme: str) -> None:
    """And nothing is infinite; a layer that reads inputs alone has one error."""
    graph = apply(GRAPHS[name](), FLOAT_PASSES)
    found = of(graph, scheme)
    assert list(found) == [node.name for node in (*graph.inputs, *graph.steps)]
    firsts = {node.name for node in graph.steps if set(node.inputs) - set(graph.weights) == {"x"}}
    for row in found.values():
        assert np.isfinite([row.snr_db, row.own_snr_db, row.cosine, row.saturation]).all()
        if row.name in firsts:
            assert row.snr_db == row.own_snr_db
    assert firsts


def test_a_mixed_network_has_rows_for_layers_and_none_for_conversions() -> None:
    """In float32 nothing has steps, and alone nothing is lost."""
    found = of(broken(0.4), "int8", {"third": SCHEMES["f32"], "last": SCHEMES["qmn16"]})
    assert list(found) == ["x", "first", "second", "third", "flat", "last"]
    assert (found["third"].largest_steps, found["third"].saturation) == (None, None)
    assert found["third"].own_snr_db == 200
    assert found["third"].snr_db < 100
    assert [found[n].storage for n in ("second", "third", "last")] == ["int8", "float32", "int16"]


def diagnosis(*arguments: str) -> dict:
    """What the command prints."""
    result = Result("diagnose", *arguments, "--json")
    assert result.code == 0, result.error
    return json.loads(result.stdout)


@pytest.fixture
def guilty(tmp_path: Path) -> list[str]:
    """The broken network and labelled samples as files."""
    graph = broken()
    reals = drawn(graph, 80)
    (tmp_path / "net.mai").write_bytes(to_bytes(graph))
    np.savez(tmp_path / "data.npz", X=reals["x"], y=labels_by(graph, reals))
    return [str(tmp_path / "net.mai"), "--data", str(tmp_path / "data.npz")]


def test_the_command_shows_layers_executions_and_scan(guilty: list[str]) -> None:
    """The module and the C on this machine give the very integers of the rules."""
    found = diagnosis(*guilty, "--scheme", "int8", "--samples", "40")
    assert list(found) == ["schema", "model", "scheme", "samples", "layers", "executions", "scan"]
    assert (found["schema"], found["scheme"]) == ("microai.diagnose/1", "int8")
    assert found["samples"] == 40
    assert found["executions"] == [
        {"name": "torch", "samples": 40, "differing": 0},
        {"name": "host", "samples": 40, "differing": 0},
    ]
    layers = {row["name"]: row for row in found["layers"]}
    assert layers[GUILTY]["differing"] == {"torch": 0, "host": 0}
    assert layers["x"]["differing"] == {"torch": 0, "host": None}
    assert min(found["scan"], key=lambda row: row["snr_db"])["layer"] == GUILTY
    assert {row["scheme"] for row in found["scan"]} == {"int8"}


def test_tables_for_people(guilty: list[str], tmp_path: Path) -> None:
    """The guilty layer in a sentence; levels in the scan; a file of curves."""
    curves = tmp_path / "curves.svg"
    arguments = ("--scheme", "qmn8", "--levels", "int8x4, int8", "--svg", str(curves))
    text = Result("diagnose", *guilty, *arguments).stdout
    assert f"\n{GUILTY} loses the most by itself: " in text
    assert "int8x4" in text
    assert "all, conversions too" in text
    assert b"<svg" in curves.read_bytes()
    assert "weights B" not in Result("diagnose", *guilty, "--scheme", "qmn8", "--no-scan").stdout


@pytest.mark.qemu
@pytest.mark.slow
def test_on_the_target(guilty: list[str], qemu: str) -> None:
    """In QEMU as well, in a mixed network."""
    where = ("--emulate", "--qemu", qemu, "--samples", "5", "--no-scan")
    found = diagnosis(*guilty, "--scheme", "int8", "--layer", "third=qmn16", *where)
    assert found["executions"][2] == {"name": "target", "samples": 5, "differing": 0}
    assert (found["scheme"], found["scan"]) == ("mixed", None)


def test_channels_come_first_in_the_models_own_layout(samples: Path) -> None:
    """The torch module takes inputs as the model does, the C as they are deployed."""
    assert open_source(Question(TINY), lambda _: None).graph.inputs[0].op.axes == (0, 2, 3, 1)
    for scheme in ("int8", "qmn16"):
        found = diagnosis(TINY, "--data", str(samples), "--scheme", scheme)
        assert found["executions"] == [
            {"name": "torch", "samples": 12, "differing": 0},
            {"name": "host", "samples": 12, "differing": 0},
        ]
        assert all(row["accuracy"] is not None for row in found["scan"])


def test_indices_have_no_torch_module(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A network that ends in an index is diagnosed without it, and says so."""
    graph = GRAPHS["branches"]()
    data = tmp_path / "data.npz"
    np.savez(data, X=drawn(graph)["x"])
    (tmp_path / "net.mai").write_bytes(to_bytes(graph))
    arguments = (str(tmp_path / "net.mai"), "--data", str(data), "--scheme", "int8", "--no-scan")
    found = diagnosis(*arguments)
    assert [one["name"] for one in found["executions"]] == ["host"]


def test_curves_are_xml_and_the_same_twice() -> None:
    """Also with names that markup or mathematics would take for their own."""
    odd = replace(HALF, name="<a> & $b_{c")
    wide = [replace(HALF, name=f"层 {i}", saturation=None) for i in range(60)]
    shown = Diagnosis("m", "int8", 3, (HALF, odd, *wide), (), None)
    first = curves_svg(shown)
    assert first == curves_svg(shown)
    texts = [element.text for element in ET.fromstring(first).iter() if element.text]  # noqa: S314
    assert {"<a> & $b_{c", "层 59", "half", "saturated, %"} <= set(texts)
    assert b"202" not in first.split(b"<defs>")[0]  # no date


def test_a_target_that_differs_is_an_error(capsys: pytest.CaptureFixture) -> None:
    """Behind the tables; the torch module may differ, it is none of the deployed."""
    off = Execution("host", 2, Counter({"half": 2, "half.int16": 1}))
    shown = Diagnosis("m", "int8", 2, (HALF,), (replace(off, name="torch"),), None)
    show_diagnosis(shown, as_json=True)
    with pytest.raises(MismatchError, match=r"^3 values differ from the integer rules$"):
        show_diagnosis(replace(shown, executions=(off,)), as_json=True)
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["layers"][0]["differing"] == {"torch": 2}
    assert json.loads(second)["executions"] == [{"name": "host", "samples": 2, "differing": 3}]


def test_a_wrong_kernel_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights negated in the C alone: that layer's column is not 0."""
    graph = quantized("scaled_dense")
    name = next(name for name, array in graph.weights.items() if array.ndim == 2)
    changed = {**graph.weights, name: -graph.weights[name]}
    other = compile_graph(replace(graph, weights=changed))
    compiled = compile_graph(graph)
    wrong = replace(compiled, sources=other.sources)
    monkeypatch.setattr("microai.device.session.model_id", lambda _: model_id(other.graph))
    reals = drawn(GRAPHS["scaled_dense"]())
    found = executions.on_host(wrong, reals, lambda _: None)
    assert found
    assert found.differing["relu"] > 0
    monkeypatch.undo()
    assert executions.on_host(compiled, reals, lambda _: None).total == 0


def test_without_tools(guilty: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler here: told and left out. No matplotlib: the extra, before anything runs."""
    told: list[str] = []
    monkeypatch.setattr("microai.executions.shutil.which", lambda _: None)
    graph = quantized("shared")
    assert executions.on_host(compile_graph(graph), drawn(graph), told.append) is None
    assert told == ["C is not run on this machine: gcc not found"]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = Result("diagnose", *guilty, "--svg", "x.svg")
    assert (result.code, result.message) == (
        5, "matplotlib is not installed: pip install 'microai[plot]'",
    )  # fmt: skip


def test_sentences(guilty: list[str], tmp_path: Path) -> None:
    """What cannot be diagnosed, and what to pass."""
    (tmp_path / "int.mai").write_bytes(to_bytes(quantized("shared")))
    names = ", ".join(name for name in SCHEMES if name != "f32")
    errors = {
        (*guilty,): f"nothing is stored in integers; pass --scheme, one of {names}",
        (*guilty, "--levels", "int8,f32"): (
            "--levels is 'int8,f32', expected schemes in integers, each once"
        ),
        (*guilty, "--levels", "int9"): (f"--levels is 'int9', expected one of f32, {names}"),
        (str(tmp_path / "int.mai"),): (
            "the model is quantized already, as int8; diagnose compares with the float network: "
            "pass that one"
        ),
        (TINY, "--scheme", "int8"): (
            "integers need real samples: pass --calibration x.npz (array X)"
        ),
    }
    for arguments, sentence in errors.items():
        result = Result("diagnose", *arguments)
        assert (result.code, result.message) == (2, sentence)


def test_fewer_samples_are_spread_over_the_set() -> None:
    """With their labels; calibration keeps all."""
    x = {"x": np.arange(10.0)}
    few = diagnose.fewer(Source(broken(), x, x, np.arange(10)), 4)
    assert few.samples
    assert few.samples["x"].tolist() == few.labels.tolist() == [0, 3, 6, 9]
    assert len(few.calibration["x"]) == 10
