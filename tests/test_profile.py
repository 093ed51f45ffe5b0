# SPDX-License-Identifier: Apache-2.0
"""`profile`: exact instructions, honest figures, and nothing guessed where a tool is missing."""

import json
import shutil
from pathlib import Path

import pytest

from microai.board import emulated, load_board
from microai.device import plugin as plugin_module
from microai.device import qemu as emulator
from microai.device import session
from microai.device.measure import measure
from microai.device.protocol import Link
from microai.job import Job
from microai.pipeline import build_image, compile_graph, first_of
from microai.profiling import profile
from microai.render import Compiled
from microai.samples import stored
from tests.graphs import GRAPHS, quantized, samples
from tests.test_cli import TINY, Result, process

BOARD = emulated(load_board("l4r5"))


def compiled_of(name: str) -> tuple[Compiled, dict]:
    """A network and one sample as it stores it."""
    compiled = compile_graph(quantized(name))
    return compiled, first_of(stored(compiled.graph, samples(GRAPHS[name]())))


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["residual", "shared", "tables", "twice"])
def test_instructions_equal_those_of_icount(name: str, qemu: str, tmp_path: Path, cache) -> None:
    """Exactly, in all; layers and functions add up to it."""
    compiled, sample = compiled_of(name)
    firmware = build_image(compiled, BOARD, tmp_path)
    job = Job(BOARD, qemu, cache=cache)
    found = profile(compiled, firmware, sample, job, print)
    with emulator.connect(firmware.elf, BOARD, qemu) as link:
        counted = measure(link, compiled, sample, BOARD, print, 1)
    assert found.instructions == counted.instructions
    steps = sum(layer.instructions for layer in found.layers)
    assert 0 < found.instructions - steps < 40  # what leads to the first step
    assert sum(cost.instructions for cost in found.functions.values()) == found.instructions
    assert sum(cost.cycles for cost in found.functions.values()) == found.prediction.cycles
    for layer, alone in zip(found.layers, counted.layer_instructions, strict=True):
        assert abs(layer.instructions - alone) < 40  # its own dispatch


@pytest.mark.qemu
def test_both_emulators_say_the_same(tmp_path: Path, cache: Path) -> None:
    """Cycles and waits too, but for the few sectors that the harness leaves in the cache."""
    from tests.conftest import QEMU10

    if not QEMU10.exists():
        pytest.skip("QEMU 10: NOT TESTED, run `make qemu10` first")
    compiled, sample = compiled_of("residual")
    firmware = build_image(compiled, BOARD, tmp_path)
    jobs = [Job(BOARD, program, cache=cache) for program in ("qemu-system-arm", str(QEMU10))]
    old, new = (profile(compiled, firmware, sample, job, print) for job in jobs)
    assert [one.instructions for one in old.layers] == [one.instructions for one in new.layers]
    assert abs(old.prediction.cycles - new.prediction.cycles) < 0.002 * old.prediction.cycles


@pytest.mark.qemu
def test_a_profile_as_json_and_as_tables(samples: Path) -> None:
    """Every figure with its basis; milliseconds are cycles by the chosen clock."""
    arguments = ("profile", TINY, "--board", "stm32l4", "--data", str(samples))
    done = process(*arguments, "--clock", "48", "--power-mw", "15", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["schema"], found["clock_hz"], found["wait_states"]) == (
        "microai.profile/1", 48_000_000, 2,
    )  # fmt: skip
    assert found["latency_kind"] == "predicted"
    assert found["latency_ms"] == pytest.approx(found["cycles"] / 48e3)
    assert found["cycles"] > found["instructions"] > 0
    assert found["stall_cycles"] % 2 == 0
    assert found["latency_error"] == "not held against measurements on this board at this clock"
    assert found["energy_uj"] == pytest.approx(15 * found["latency_ms"])
    assert found["energy_kind"] == "user"
    assert sum(layer["cycles"] for layer in found["layers"]) <= found["cycles"]
    assert {"name", "instructions", "cycles", "stall_cycles"} == {*found["functions"][0]}
    said = process(*arguments)
    for words in ("cycles", "waits", "function", "known error", "predicted from every instruction"):
        assert words in said.stdout


@pytest.mark.qemu
def test_boards_without_wait_states_get_instructions_only(samples: Path) -> None:
    """Null, with the reason; never a guess."""
    done = process("profile", TINY, "--board", "apollo3", "--data", str(samples), "--json")
    found = json.loads(done.stdout)
    assert found["instructions"] > 0
    for name in ("cycles", "stall_cycles", "latency_ms", "latency_kind", "energy_uj"):
        assert found[name] is None
    assert found["latency_basis"] == (
        "not predicted: no public source for apollo3's flash wait states at 48 MHz"
    )
    said = process("profile", TINY, "--board", "apollo3", "--data", str(samples)).stdout
    assert "not predicted: no public source" in said
    assert "cycles " not in said


@pytest.mark.qemu
def test_without_a_compiler_instructions_only(tmp_path: Path, monkeypatch) -> None:
    """By the emulator's own count, with layers; and it says so."""
    compiled, sample = compiled_of("residual")
    firmware = build_image(compiled, BOARD, tmp_path)
    exact = profile(compiled, firmware, sample, Job(BOARD), print)
    monkeypatch.setattr(plugin_module, "COMPILERS", ())
    said: list[str] = []
    found = profile(compiled, firmware, sample, Job(BOARD, cache=tmp_path / "new"), said.append)
    assert found.instructions == exact.instructions
    assert len(found.layers) == len(exact.layers)
    assert found.prediction.cycles is found.prediction.latency_ms is None
    assert "no C compiler" in found.prediction.latency_basis
    assert any(line.startswith("instructions only: no C compiler") for line in said)


@pytest.mark.qemu
def test_an_emulator_without_plugins(samples: Path, tmp_path: Path) -> None:
    """As some are built: the counts are still there."""
    real = shutil.which("qemu-system-arm")
    program = tmp_path / "qemu"
    program.write_text(
        "#!/bin/sh\ncase \"$*\" in *-plugin*) echo 'qemu: -plugin: invalid option'; exit 1;; esac\n"
        f'exec {real} "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    done = process("profile", TINY, "--data", str(samples), "--qemu", str(program), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["instructions"] > 0
    assert found["cycles"] is None
    assert "-plugin: invalid option" in found["latency_basis"]


@pytest.mark.qemu
def test_memory_is_shared_with_the_emulator(qemu: str, tmp_path: Path) -> None:
    """What goes through it is what the serial port would have carried."""
    compiled, _ = compiled_of("residual")
    firmware = build_image(compiled, BOARD, tmp_path)
    with emulator.connect(firmware.elf, BOARD, qemu) as link:
        session.select(link, compiled)
        link.write(4, b"by memory")
        assert Link.read(link, 4, 9) == b"by memory"
        Link.write(link, 8, b"by port")
        assert link.read(4, 11) == b"by mby port"


@pytest.mark.parametrize("power", ["-5", "0", "nan", "inf", "1e30"])
def test_a_power_is_positive(power: str) -> None:
    """And finite: it goes into JSON."""
    result = Result("profile", TINY, "--power-mw", power)
    assert result.code == 2
    assert "expected milliwatts between 0 and 100000" in result.message


def test_a_wrong_clock_is_a_sentence() -> None:
    """Before anything takes time."""
    result = Result("profile", TINY, "--clock", "12")
    assert (result.code, result.message) == (2, "--clock is 12 MHz; stm32l4 runs at 80, 48")
