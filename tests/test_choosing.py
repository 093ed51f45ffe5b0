# SPDX-License-Identifier: Apache-2.0
"""`tune` and choices.json, from timing to deployment, and all that may be wrong with either."""

import json
from pathlib import Path

import numpy as np
import pytest

from microai import timings as timings_module
from microai.backends import kernels
from microai.backends.variants import variants
from microai.board import emulated, load_board
from microai.candidates import candidates
from microai.choices import Chosen, rank
from microai.choosing import Tuning, budget_of, choose
from microai.errors import DoesNotFitError, MismatchError, UnsupportedError
from microai.job import Job
from microai.pipeline import compile_graph, first_of
from microai.samples import stored
from microai.save import to_bytes
from tests.graphs import GRAPHS, quantized, samples
from tests.test_cli import Result, process

BOARD = emulated(load_board("stm32l4"))
KERNELS = kernels()


def network(name: str = "residual", scheme: str = "int8") -> tuple:
    compiled = compile_graph(quantized(name, scheme))
    return compiled, first_of(stored(compiled.graph, samples(GRAPHS[name]())))


def chosen_for(
    goal="latency", cache=None, tell=lambda _: None, name="residual", **budget
) -> Chosen:
    compiled, sample = network(name)
    sizes = budget_of(BOARD, budget.get("flash"), budget.get("ram"))
    job = Job(BOARD, cache=cache) if cache else Job(BOARD)
    return choose(compiled, sample, Tuning(KERNELS, goal, sizes), job, tell)


@pytest.fixture
def mai(tmp_path: Path) -> Path:
    path = tmp_path / "net.mai"
    path.write_bytes(to_bytes(quantized("residual")))
    return path


@pytest.fixture
def tuned(mai: Path, tmp_path: Path) -> Path:
    """A choices.json for that network."""
    path = tmp_path / "choices.json"
    done = process("tune", str(mai), "--board", "stm32l4", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


def changed(path: Path, **keys) -> Path:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **keys}), encoding="utf-8")
    return path


@pytest.mark.qemu
def test_the_tuned_network_is_no_slower(cache: Path) -> None:
    """Than any preference of backends; and what it says of itself is what a profile says."""
    found = chosen_for()
    assert {one.name for one in found.preferences} == {"simd,portable", "portable,simd"}
    assert all(found.found.cycles <= one.cycles for one in found.preferences)
    for step in found.steps.values():
        timed = {one.kernel: one.cycles for one in step.alternatives}
        least = timed[step.kernel] == min(timed.values())
        assert step.reason.startswith("fastest of") == least


@pytest.mark.qemu
@pytest.mark.parametrize("goal", ["flash", "ram", "balanced"])
def test_goals_are_no_worse_than_preferences(goal: str) -> None:
    """Each by its own measure, as built."""
    found = chosen_for(goal)
    every = [one.figures for one in (*found.preferences, found.found)]
    least = tuple(map(min, zip(*every, strict=True)))
    ranks = [rank(goal, figures, least) for figures in every]
    assert ranks[-1] == min(ranks)


@pytest.mark.qemu
def test_budgets_are_kept() -> None:
    """Flash a tenth tighter than the fastest takes, RAM without its weights; or a sentence."""
    free = chosen_for()
    flash = free.found.flash_bytes * 9 // 10
    tight = chosen_for(flash=flash)
    assert tight.found.flash_bytes <= flash
    assert tight.found.cycles >= free.found.cycles
    least = min(one.ram_bytes for one in free.preferences)
    lean = chosen_for(ram=least)
    assert lean.found.ram_bytes <= least
    with pytest.raises(DoesNotFitError) as raised:
        chosen_for(flash=3000)
    assert "with no choice of kernels fits 3,000 B of flash" in str(raised.value)
    assert "the least flash is" in str(raised.value)


@pytest.mark.qemu
def test_timings_are_kept(tmp_path: Path) -> None:
    """A second time nothing is timed; a record that is damaged is timed again."""
    first: list[str] = []
    one = chosen_for(name="shared", cache=tmp_path, tell=first.append)
    second: list[str] = []
    assert chosen_for(name="shared", cache=tmp_path, tell=second.append) == one
    assert any(line.startswith("timed 0 kernels") for line in second)
    records = sorted((tmp_path / "timings").glob("*.json"))
    records[0].write_text("{", encoding="utf-8")
    damaged = {**json.loads(records[1].read_text(encoding="utf-8")), "found": {"cycles": "x"}}
    records[1].write_text(json.dumps(damaged), encoding="utf-8")
    third: list[str] = []
    again = chosen_for(name="shared", cache=tmp_path, tell=third.append)
    assert any(line.startswith("timed 2 kernels") for line in third)
    assert abs(again.found.cycles / one.found.cycles - 1) < 0.01  # they lie elsewhere in an image


@pytest.mark.qemu
def test_an_interruption_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was timed before it is known afterwards, and the result is the same."""
    whole = chosen_for(name="shared", cache=tmp_path / "whole")
    timed, left = timings_module.time_batch, [1]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return timed(*arguments)

    monkeypatch.setattr(timings_module, "time_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        chosen_for(name="shared", cache=tmp_path / "cut")
    monkeypatch.setattr(timings_module, "time_batch", timed)
    said: list[str] = []
    assert chosen_for(name="shared", cache=tmp_path / "cut", tell=said.append) == whole
    known = timings_module.MOST_IN_IMAGE
    assert any(line.endswith(f"{known} were known") for line in said)


@pytest.mark.qemu
def test_a_kernel_that_computes_otherwise_is_found(tmp_path: Path, monkeypatch) -> None:
    """Every candidate's output is compared with the rules."""
    monkeypatch.setattr(timings_module, "unequal", lambda *_: 3)
    compiled, sample = network("shared")
    tuning = Tuning(KERNELS, "latency", budget_of(BOARD, None, None))
    job = Job(BOARD, cache=tmp_path)
    with pytest.raises(MismatchError, match="3 values of .* differ from the rules"):
        choose(compiled, sample, tuning, job, lambda _: None)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int16x8", "qmn16", "qmn8", "int8x4", "f32"])
def test_every_variant_is_exact_in_every_scheme(scheme: str) -> None:
    """Candidates are compared with the rules as they are timed."""
    compiled, sample = network("residual", scheme)
    tuning = Tuning(KERNELS, "latency", budget_of(BOARD, None, None))
    found = choose(compiled, sample, tuning, Job(BOARD), lambda _: None)
    assert all(found.found.cycles <= one.cycles for one in found.preferences)


def test_candidates_differ() -> None:
    """No two of a step are the same C; each step has its default kernel first."""
    compiled, _ = network()
    found = list(candidates(compiled.graph, variants(KERNELS)))
    for node in compiled.graph.steps:
        own = [one for one in found if one.step == node.name]
        assert len({one.version for one in own}) == len(own)
        assert own[0].kernel.name == compiled.choices[node.name].kernel.name


def test_variants_have_names_of_their_own() -> None:
    """So that a name in choices.json is one kernel."""
    names = [kernel.name for kernel in variants(KERNELS)]
    assert len(set(names)) == len(names)
    assert "simd/conv2d_s8+unroll2+O2+ram" in names


@pytest.mark.qemu
def test_choices_are_deployed_exactly(mai: Path, tuned: Path, tmp_path: Path) -> None:
    """The chosen kernels, the predicted cycles, every output right; the same C every time."""
    chosen = json.loads(tuned.read_text(encoding="utf-8"))
    arguments = (str(mai), "--board", "stm32l4", "--choices", str(tuned))
    done = process("deploy", *arguments, "--emulate", "--json", "-o", str(tmp_path / "out"))
    report = json.loads(done.stdout)
    assert (report["mismatches"], report["bit_exact"]) == (0, True)
    kernels_taken = {layer["name"]: layer["kernel"] for layer in report["layers"]}
    assert kernels_taken == {name: step["kernel"] for name, step in chosen["steps"].items()}
    assert abs(report["cycles"] / chosen["found"]["cycles"] - 1) < 0.01
    assert report["flash_bytes"] == chosen["found"]["flash_bytes"]
    for folder in ("a", "b"):
        made = process("generate", *arguments, "-o", str(tmp_path / folder))
        assert made.returncode == 0, made.stderr
    texts = [(tmp_path / folder / "net.c").read_bytes() for folder in ("a", "b", "out")]
    assert texts[0] == texts[1] == texts[2]
    asked = json.loads(process("check", *arguments, "--json").stdout)
    assert {one["name"]: one["kernel"] for one in asked["layers"]} == kernels_taken
    (node,) = quantized("residual").inputs
    np.save(tmp_path / "x.npy", np.zeros(node.type.shape, node.type.dtype))
    files = ("--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy"))
    ran = json.loads(process("run", *arguments, "--emulate", *files, "--json").stdout)
    assert {layer["name"]: layer["kernel"] for layer in ran["layers"]} == kernels_taken
    profiled = process("profile", *arguments, "--json")
    assert json.loads(profiled.stdout)["flash_bytes"] == chosen["found"]["flash_bytes"]


@pytest.mark.qemu
def test_choices_of_something_else_are_refused(mai: Path, tuned: Path, tmp_path: Path) -> None:
    """Another board, network, kernel or file: a sentence, and nothing is written."""
    out = tmp_path / "out"
    generate = ("generate", str(mai), "-o", str(out), "--choices", str(tuned))
    assert Result(*generate, "--board", "l4r5").message == (
        "the choices are for stm32l4, not for l4r5; run `microai tune` again"
    )
    other = tmp_path / "other.mai"
    other.write_bytes(to_bytes(quantized("shared")))
    again = Result("generate", str(other), "-o", str(out), "--choices", str(tuned))
    assert (again.code, "the choices are of model" in again.message) == (2, True)
    good = json.loads(tuned.read_text(encoding="utf-8"))
    step, first = next(iter(good["steps"].items()))
    old = {**good["steps"], step: {**first, "version": "0" * 16}}
    changed(tuned, steps=old)
    assert Result(*generate).message == (
        f"kernels have changed since they were timed: those of {step}; run `microai tune` again"
    )
    changed(tuned, steps={**good["steps"], step: {**first, "kernel": "simd/gone"}})
    assert f"not there or refuse: simd/gone for {step}" in Result(*generate).message
    changed(tuned, steps={name: one for name, one in good["steps"].items() if name != step})
    assert f"the choices and the network differ in {step}" in Result(*generate).message
    changed(tuned, steps=good["steps"], timing="another")
    assert "was timed with another" in Result(*generate, "--board", "stm32l4").message
    changed(tuned, timing=good["timing"], clock_hz=-5)
    assert "clock_hz" in Result(*generate).message
    changed(tuned, clock_hz=good["clock_hz"])
    changed(tuned, steps=good["steps"], goal="beauty", more=1)
    both = Result(*generate).message
    assert "goal" in both
    assert "more" in both
    tuned.write_text("{", encoding="utf-8")
    assert "choices.json: not JSON" in Result(*generate).message
    assert "no such file" in Result(*generate[:-1], str(tmp_path / "gone")).message.lower()
    assert not out.exists()


def test_what_cannot_be_tuned_is_said_first(mai: Path, tmp_path: Path) -> None:
    """A board without timing, a goal that is none, a place that cannot be written."""
    result = Result("tune", str(mai), "--board", "apollo3")
    assert result.code == 5
    assert (
        "nothing to choose by: no public source for apollo3's flash wait states" in result.message
    )
    result = Result("tune", str(mai), "--goal", "beauty")
    assert result.message == "--goal is 'beauty', expected latency, flash, ram, balanced"
    assert "it is a folder" in Result("tune", str(mai), "-o", str(tmp_path)).message


def test_a_step_that_no_kernel_takes() -> None:
    """Fails as deployment does, with every reason."""
    with pytest.raises(UnsupportedError, match="no kernel for"):
        compile_graph(quantized("residual"), kernels=[k for k in KERNELS if k.backend == "gone"])
