# SPDX-License-Identifier: Apache-2.0
"""`--mixed auto`: small, accurate enough, within the board, written down and as it was measured."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microai.backends import kernels
from microai.board import Board, load_board
from microai.errors import DoesNotFitError, UsageError
from microai.graph import Graph
from microai.mixing import Search, Tried, descend, measure, mixed, spelled, uniform
from microai.mixture import Mixture, Wish, best, choose
from microai.options import LEVELS
from microai.pipeline import compile_source
from microai.quantize.scheme import SCHEMES, named
from microai.render import STACK_BYTES
from microai.save import load, model_id, to_bytes
from microai.sensitivity import ranges_of
from microai.source import Question, Source, open_source
from microai.wanted import How, levels_of, recipe_of, share_of
from tests.broken import GUILTY, broken, labels_by
from tests.graphs import GRAPHS, quantized, samples
from tests.test_cli import Result

COUNT = 200


def source_of(graph: Graph, **more) -> Source:
    """A network that is right about everything, on samples to choose on and others to run."""
    calibration, run = samples(graph, COUNT), samples(graph, 20, seed=9)
    labels = labels_by(graph, calibration)
    return Source(graph, run, calibration, labels_by(graph, run), calibration_labels=labels, **more)


def chosen(levels: str, max_drop: float, board: Board | None = None, **more) -> Mixture:
    """Of the broken network."""
    wish = Wish(levels_of(levels, How()), max_drop)
    return choose(source_of(broken(), **more), wish, kernels(), board, lambda _: None)


def sized(ram_bytes: int = 1 << 20, flash_bytes: int = 1 << 20) -> Board:
    """A board with as much memory."""
    board = load_board("stm32l4")
    regions = {"ram": ram_bytes, "flash": flash_bytes}
    memory = {
        name: getattr(board.memory, name).model_copy(update={"bytes": size})
        for name, size in regions.items()
    }
    return board.model_copy(update={"memory": board.memory.model_copy(update=memory)})


def test_only_the_broken_layer_is_raised() -> None:
    """It alone needs 16 bits; the rest stays as small as it may be."""
    found = chosen("qmn16,qmn8", 0.05)
    assert (found.reached, found.float_accuracy, found.selection.origin) == (True, 1, "calibration")
    assert {name for name, level in found.found.state.items() if level == "qmn16"} == {GUILTY}
    small, large = found.uniform["qmn8"], found.uniform["qmn16"]
    assert list(found.uniform) == ["qmn8", "qmn16"]
    assert not small.reaches(0.95)
    assert large.reaches(0.95)
    assert small.bytes < found.found.bytes < large.bytes
    assert found.found.accuracy >= 0.95
    assert found.layers == {GUILTY: "qmn16"}
    assert found.options == f"--scheme=qmn8 --layer={GUILTY}=qmn16"


def test_it_is_compiled_as_it_was_measured() -> None:
    """By the recipe, and by the options on the command line: the same graph, the same bytes."""
    how = {"rounding": "floor", "per_channel": True, "ranges": "moving"}
    levels = {name: named(name, how["rounding"], how["ranges"], per_channel=True)
              for name in ("qmn8", "qmn16")}  # fmt: skip
    source = source_of(broken())
    told: list[str] = []
    found = choose(source, Wish(levels, 0.02), kernels(), None, told.append)
    assert any(line.startswith(f"{GUILTY} back to qmn8: ") for line in told)
    compiled = compile_source(source, found.recipe(kernels()), "net", lambda _: None)
    sizes = compiled.weights_bytes, compiled.plan.arena_bytes
    assert sizes == (found.found.weights_bytes, found.found.arena_bytes)
    said = shlex.split(found.options)
    assert said[:4] == ["--scheme=qmn8", "--rounding=floor", "--per-channel", "--ranges=moving"]
    layers = [text.removeprefix("--layer=") for text in said[4:]]
    assert layers
    recipe = recipe_of("qmn8", layers, How("floor", True, "moving"), kernels())
    again = compile_source(source, recipe, "net", lambda _: None)
    assert model_id(again.graph) == model_id(compiled.graph)


def test_what_is_good_enough_everywhere_is_taken_everywhere() -> None:
    """All may be lost: the cheapest level; nothing may: no cheaper than it must be."""
    loose, strict = chosen("int8x4,int8,int16x8", 1.0), chosen("qmn8,qmn16", 0.0)
    assert (loose.layers, loose.base, loose.tried) == ({}, "int8x4", ())
    assert strict.found.accuracy == 1
    assert strict.found.bytes <= min(t.bytes for t in strict.tried if t.accuracy == 1)
    assert strict.to_bytes() == chosen("qmn8,qmn16", 0.0).to_bytes()


def test_the_board_bounds_the_search() -> None:
    """What does not fit is not run; what is left falls short, in a sentence; or nothing fits."""
    free = chosen("qmn8,qmn16", 0.05)
    assert free.found.weights_bytes > free.uniform["qmn8"].weights_bytes
    tight = chosen("qmn8,qmn16", 0.05, sized(flash_bytes=free.found.weights_bytes - 1))
    assert not tight.reached
    (large,) = (tried for tried in tight.tried if tried.state == free.found.state)
    sizes = f"weights {large.weights_bytes:,} B, arena {large.arena_bytes:,} B"
    assert str(large) == f"does not fit, {sizes}"
    assert any(tried.accuracy for tried in tight.tried)  # what is smaller is tried behind it
    assert tight.found.weights_bytes < free.found.weights_bytes
    assert tight.shortfall == (
        "--max-drop is 5.00%, the best of the mixed networks that fit stm32l4 loses "
        f"{1 - tight.found.accuracy:.2%}: {tight.found}; allow more, add --levels, "
        "or train in integers"
    )
    with pytest.raises(DoesNotFitError, match=r"^model is \d+ bytes too large for stm32l4's ram"):
        chosen("qmn8,qmn16", 0.05, sized(ram_bytes=STACK_BYTES + 10))


def test_what_was_raised_in_vain_comes_back() -> None:
    """From 16 bits everywhere down to the one layer that needs them, what saves most first."""
    source = source_of(broken())
    levels = {name: SCHEMES[name] for name in ("qmn8", "qmn16")}
    reals, labels = dict(source.calibration), source.calibration_labels
    ranges = ranges_of(broken(), reals, levels)
    search = Search(broken(), levels, ranges, reals, labels, kernels(), None)
    told: list[str] = []
    high = measure(search, uniform(search, "qmn16"), "all", told.append)
    tried = descend(search, high, uniform(search, "qmn8"), 0.95, told.append)
    state = best((high, *tried), 0.95).state
    assert {name for name, level in state.items() if level == "qmn16"} == {GUILTY}
    assert told[0] == f"all: {high}"
    assert [line.partition(":")[0] for line in told[1:]] == [
        f"{name} back to qmn8" for name in (GUILTY, "third", "last", "first")
    ]


def test_the_best_of_what_was_tried() -> None:
    """Enough accuracy first, then bytes, then more accuracy; of equals the later."""
    found = [Tried({"a": str(i)}, *one) for i, one in enumerate(
        [(0.9, 10, 10), (0.8, 5, 5), (0.95, 10, 10), (0.95, 12, 8), (None, 1, 1), (0.7, 2, 2)]
    )]  # fmt: skip
    assert [best(found, least) for least in (0.9, 0.75, 0)] == [found[3], found[1], found[5]]
    assert best(found, 0.99) == found[3]


def test_an_input_is_stored_as_its_most_precise_reader_wants_it() -> None:
    """So that no reader loses what another could spare."""
    graph = GRAPHS["branches"]()
    levels = {name: SCHEMES[name] for name in ("int8", "int16x8")}
    reals = samples(graph)
    ranges = ranges_of(graph, reals, levels)
    search = Search(graph, levels, ranges, reals, np.zeros(16), kernels(), None)
    state = {**uniform(search, "int8"), "left": "int16x8"}
    assert spelled(search, state) == {
        **dict.fromkeys([node.name for node in graph.steps], "int8"),
        "left": "int16x8", "tanh": "int16x8", "x": "int16x8",
    }  # fmt: skip
    assert mixed(search, state)["x"].type.dtype == "int16"
    assert mixed(search, uniform(search, "int8"))["x"].type.dtype == "int8"


def test_without_labelled_calibration_it_chooses_on_the_data() -> None:
    """And says so; without any labels it says what is needed."""
    source = replace(source_of(broken()), calibration_labels=None)
    wish = Wish({"int8": SCHEMES["int8"]}, 1.0)
    told: list[str] = []
    found = choose(source, wish, kernels(), None, told.append)
    assert (found.selection.origin, len(found.selection.labels)) == ("data", 20)
    assert told[0] == (
        "choosing on --data itself; pass a --calibration with labels for an honest accuracy"
    )
    errors = {
        "--mixed auto needs labels to measure accuracy: an array y in --calibration or --data":
            replace(source, labels=None),
        "--mixed auto measures accuracy, and the network has 2 outputs":
            replace(source, graph=GRAPHS["shared"]()),
        "the model is quantized already, as int8; --mixed auto needs a float one":
            replace(source, graph=quantized("residual")),
    }  # fmt: skip
    for sentence, wrong in errors.items():
        with pytest.raises(UsageError) as raised:
            choose(wrong, wish, kernels(), None, lambda _: None)
        assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0.5 %", 0.005), ("0.01", 0.01), ("0", 0), ("100%", 1)]
)
def test_shares(text: str, share: float) -> None:
    """As people write them."""
    assert share_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "a", "-1%", "101%", "1.5", "nan", "inf%"])
def test_what_is_no_share(text: str) -> None:
    """A sentence for all."""
    with pytest.raises(UsageError) as raised:
        share_of(text)
    assert str(raised.value) == f"--max-drop is {text!r}, expected a share as in 1% or 0.01"


def test_options_that_do_not_go_together() -> None:
    """Before anything is opened."""
    errors = {
        ("--mixed", "all"): "--mixed is 'all', expected auto",
        ("--max-drop", "1%"): "--max-drop needs --mixed auto",
        ("--levels", "int8"): "--levels needs --mixed auto",
        ("--mixed", "auto", "--scheme", "int8"): (
            "--mixed auto chooses among --levels; leave --scheme out"
        ),
        ("--mixed", "auto", "--layer", "a=int8"): (
            "--mixed auto chooses among --levels; leave --layer out"
        ),
        ("--mixed", "auto", "--levels", "int8,int8"): (
            "--levels is 'int8,int8', expected schemes in integers, each once"
        ),
        ("--mixed", "auto", "--max-drop", "x"): (
            "--max-drop is 'x', expected a share as in 1% or 0.01"
        ),
    }
    for arguments, sentence in errors.items():
        result = Result("deploy", "--emulate", *arguments)
        assert (result.code, result.message) == (2, sentence)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[str]]:
    """The broken network with labelled samples of both kinds."""
    source = source_of(broken())
    (tmp_path / "net.mai").write_bytes(to_bytes(source.graph))
    np.savez(tmp_path / "data.npz", X=source.samples["x"], y=source.labels)
    np.savez(tmp_path / "more.npz", X=source.calibration["x"], y=source.calibration_labels)
    out = ("-o", str(tmp_path / "out"))
    data = ("--data", str(tmp_path / "data.npz"), "--calibration", str(tmp_path / "more.npz"))
    return [str(tmp_path / "net.mai"), *data, *out, "--emulate", "--json", "--mixed", "auto"]


@pytest.mark.qemu
@pytest.mark.slow
def test_deployed_it_is_exact_and_written_down(files: list[str], qemu: str, tmp_path: Path) -> None:
    """In QEMU no element differs; mixed.json has what was tried."""
    arguments = ("--levels", "qmn8,qmn16", "--max-drop", "5%", "--qemu", qemu)
    result = Result("deploy", *files, *arguments)
    assert result.code == 0
    report = json.loads(result.stdout)
    record = json.loads((tmp_path / "out" / "mixed.json").read_text())
    assert (report["mismatches"], report["bit_exact"], report["scheme"]) == (0, True, "mixed")
    assert (record["schema"], record["reached"]) == ("microai.mixed/1", True)
    assert (record["board"], record["selected_on"]) == ("stm32l4", "calibration")
    assert record["chosen"]["weights_bytes"] == report["weights_bytes"]
    assert record["chosen"]["arena_bytes"] == report["arena_bytes"]
    assert (record["scheme"], record["layers"]) == ("qmn8", {GUILTY: "qmn16"})
    assert record["samples"] == COUNT
    assert all(row["accuracy"] <= 1 for row in record["scan"])
    assert {"uniform", "tried", "scan", "options", "float_accuracy", "max_drop"} <= set(record)


def test_quantized_it_is_a_file(files: list[str], tmp_path: Path) -> None:
    """What was tried lies beside it; the same network in integers as deploy would make."""
    out, data = tmp_path / "int.mai", files[:5]
    arguments = ("--levels", "qmn8,qmn16", "--max-drop", "5%", "--mixed", "auto")
    result = Result("quantize", *data, "-o", str(out), *arguments)
    assert (result.code, result.stdout) == (0, f"{out}: mixed\n")
    record = json.loads((tmp_path / "int.mixed.json").read_text())
    assert (record["layers"], record["board"]) == ({GUILTY: "qmn16"}, None)
    assert load(out)[GUILTY].type.dtype == "int16"
    result = Result("quantize", *data, "-o", str(out), *arguments, "--scheme", "int8")
    assert result.message == "--mixed auto chooses among --levels; leave --scheme out"


def test_what_cannot_be_kept_is_written_down_too(files: list[str], tmp_path: Path) -> None:
    """The sentence has the best figures, the file all of them; nothing is built."""
    result = Result("deploy", *files, "--levels", "qmn8", "--max-drop", "0.5%")
    record = json.loads((tmp_path / "out" / "mixed.json").read_text())
    assert not record["reached"]
    drop = 1 - record["chosen"]["accuracy"]
    start = f"--max-drop is 0.50%, the best of the mixed networks loses {drop:.2%}: "
    assert (result.code, result.message.startswith(start)) == (2, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mixed.json"]


@pytest.mark.slow
def test_digits() -> None:
    """A trained network: within the drop where it chose, and smaller than in 16 bits."""
    source = open_source(Question(), lambda _: None)
    levels = levels_of(LEVELS, How())
    found = choose(
        source, Wish(levels, 0.01), kernels(), load_board("stm32l4"), lambda _: None
    )  # fmt: skip
    assert found.reached
    assert len(found.selection.labels) == 1000
    assert found.found.accuracy >= found.float_accuracy - 0.01
    assert found.found.bytes < found.uniform["int16x8"].bytes
