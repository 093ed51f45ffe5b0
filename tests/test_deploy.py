# SPDX-License-Identifier: Apache-2.0
"""The whole way to the emulated board and back."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from microai import pipeline, verdict
from microai.save import to_bytes
from tests import networks
from tests.graphs import quantized
from tests.test_cli import HERE, TINY, Result, process

KEYS = [
    "schema",
    "model",
    "board",
    "runner",
    "scheme",
    "samples",
    "mismatches",
    "bit_exact",
    "metric",
    "flash_bytes",
    "code_bytes",
    "weights_bytes",
    "ram_bytes",
    "arena_bytes",
    "arena_lower_bound_bytes",
    "stack_bytes",
    "harness_flash_bytes",
    "harness_ram_bytes",
    "instructions",
    "clock_hz",
    "wait_states",
    "cycles",
    "stall_cycles",
    "latency_ms",
    "latency_kind",
    "latency_basis",
    "latency_error",
    "energy_uj",
    "energy_kind",
    "energy_basis",
    "elf",
    "sources",
    "libraries",
    "layers",
]


def deployed(*arguments: str) -> dict:
    """The report of a deployment that must succeed, with nothing else on stdout."""
    done = process("deploy", *arguments, "--emulate", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "int8"])
def test_digits(scheme: str, qemu: str, tmp_path: Path) -> None:
    """360 scans: floats to 1e-5, integers exactly and at most 2 images worse."""
    out = str(tmp_path / "out")
    report = deployed("--scheme", scheme, "--qemu", qemu, "-o", out)
    assert list(report) == KEYS
    assert (report["samples"], report["mismatches"]) == (360, 0)
    assert report["bit_exact"] is (True if scheme == "int8" else None)
    metric = report["metric"]
    assert metric["float"] > 0.97
    assert metric["target"] >= metric["float"] - (2.5 / 360 if scheme == "int8" else 1e-9)
    assert report["latency_kind"] == "predicted"
    assert report["latency_ms"] == pytest.approx(report["cycles"] / 80e3)
    assert report["energy_uj"] is report["energy_kind"] is None
    steps = sum(layer["instructions"] for layer in report["layers"])
    assert abs(report["instructions"] - steps) < 30 * len(report["layers"])  # dispatch
    assert_sizes(report)


def assert_sizes(report: dict) -> None:
    """Sizes are the ELF's own, and the files are there."""
    assert report["arena_bytes"] >= report["arena_lower_bound_bytes"]
    with Path(report["elf"]).open("rb") as file:
        elf = ELFFile(file)
        sections = {s.name: s["sh_size"] for s in elf.iter_sections()}
        symbols = elf.get_section_by_name(".symtab").iter_symbols()
        prefix = f"{report['model']['name']}_w_"
        weights = sum(s["st_size"] for s in symbols if s.name.startswith(prefix))
    assert weights == report["weights_bytes"]
    loaded = sum(sections[n] for n in (".vectors", ".text", ".rodata", ".data"))
    assert report["flash_bytes"] == loaded
    assert report["ram_bytes"] == sum(sections[n] for n in (".stack", ".data", ".bss"))
    assert report["code_bytes"] < report["flash_bytes"]
    assert report["harness_flash_bytes"] < report["flash_bytes"]
    assert report["harness_ram_bytes"] < report["ram_bytes"]
    assert 0 < report["stack_bytes"] < sections[".stack"]
    assert (Path(report["sources"]) / f"{report['model']['name']}.mai").exists()


@pytest.mark.qemu
def test_the_users_own_network_and_data(samples: Path, tmp_path: Path) -> None:
    """A factory, labels, z-score, another board, another prefix."""
    out = str(tmp_path / "out")
    report = deployed(
        TINY, "--data", str(samples), "--normalize", "zscore", "--board", "l4r5",
        "--name", "tiny", "--out", out,
    )  # fmt: skip
    assert report["bit_exact"]
    assert (report["board"], report["samples"], report["model"]["name"]) == ("l4r5", 12, "tiny")
    assert 0 <= report["metric"]["target"] <= 1
    again = deployed(f"{out}/tiny.mai", "--data", str(samples), "--out", str(tmp_path / "2"))
    assert again["bit_exact"]
    assert again["metric"]["float"] is None
    assert again["metric"]["target"] == report["metric"]["target"]


@pytest.mark.qemu
def test_names_that_would_like_to_be_code(tmp_path: Path) -> None:
    """From module names through C and linker to JSON and tables."""
    random = np.random.default_rng(1)
    data = tmp_path / "x.npz"
    np.savez(data, X=random.normal(size=(3, 1, 4, 4)))
    arguments = (f"{HERE}:hostile", "--data", str(data), "--out", str(tmp_path / "out"))
    report = deployed(*arguments)
    assert report["bit_exact"]
    assert report["layers"][0]["name"] == "*/ #include <x>"
    shown = process("deploy", *arguments, "--emulate")
    assert shown.returncode == 0, shown.stderr
    assert "<x>" in shown.stdout


@pytest.mark.qemu
def test_run_takes_and_gives_raw_integers(qemu: str, tmp_path: Path) -> None:
    """What interpret gives, for outputs and for every layer."""
    from microai.interpret import interpret

    graph = quantized("residual")
    net, x, y, layers = (tmp_path / n for n in ("net.mai", "x.npy", "y.npy", "layers.npz"))
    net.write_bytes(to_bytes(graph))
    inputs = np.random.default_rng(2).integers(-128, 128, (5, 8, 8, 2)).astype(np.int8)
    np.save(x, inputs)
    done = process(
        "run", str(net), "--input", str(x), "--output", str(y), "--layers", str(layers),
        "--board", "apollo3", "--emulate", "--qemu", qemu, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    assert (report["samples"], report["metric"], report["elf"]) == (5, None, None)
    compiled = pipeline.compile_graph(graph)
    expected = interpret(compiled.graph, {"x": inputs})
    np.testing.assert_array_equal(np.load(y), expected["softmax"])
    found = np.load(layers)
    assert set(found) == {n.name for n in compiled.graph.steps}
    for name in found:
        assert found[name].dtype == np.int8
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 8, 8, 2), np.float32), "is float32, this network takes int8: q = floor(x /"),
        (np.full((2, 8, 8, 2), 300), "leaves -128..127"),
        (np.zeros((2, 7, 8, 2), np.int8), "has shape (2, 7, 8, 2), expected (N, 8, 8, 2)"),
    ],
)
def test_run_refuses_what_is_not_raw(array: np.ndarray, words: str, tmp_path: Path) -> None:
    """And writes no output."""
    (tmp_path / "net.mai").write_bytes(to_bytes(quantized("residual")))
    np.save(tmp_path / "x.npy", array)
    result = Result(
        "run", str(tmp_path / "net.mai"), "--input", str(tmp_path / "x.npy"), "--output",
        str(tmp_path / "y.npy"), "--emulate",
    )  # fmt: skip
    assert result.code == 2
    assert words in result.message
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.qemu
def test_a_wrong_target_is_exit_6(samples: Path, tmp_path: Path, monkeypatch) -> None:
    """A kernel that is off by one is found, reported, and fails the command."""
    real = verdict.interpret_only

    def off_by_one(*asked):
        return {k: v + (v.dtype == np.int8) for k, v in real(*asked).items()}

    monkeypatch.setattr(verdict, "interpret_only", off_by_one)
    result = Result(
        "deploy", TINY, "--data", str(samples), "--emulate", "-o", str(tmp_path / "out")
    )
    assert result.code == 6
    assert "differ from the reference" in result.message
    assert "OUTPUTS DIFFER" in result.stdout


@pytest.mark.qemu
def test_link_time_overflow_is_exit_4(samples: Path, tmp_path: Path) -> None:
    """What only the linker can know: a board with room for the arena and not for the image."""
    text = (Path(networks.__file__).parent.parent / "boards" / "stm32l4.toml").read_text()
    board = tmp_path / "small.toml"
    text = text.replace('name = "stm32l4"', 'name = "small"').replace("524288", "3000")
    board.write_text(text)
    result = Result(
        "deploy", TINY, "--data", str(samples), "--emulate", "--board", str(board),
        "-o", str(tmp_path / "out"),
    )  # fmt: skip
    assert result.code == 4
    assert "bytes too large for small's flash (3,000 B)" in result.message
    assert not (tmp_path / "out").exists()


@pytest.mark.qemu
def test_generated_files_do_not_depend_on_the_run(samples: Path, tmp_path: Path) -> None:
    """Two deployments, one set of bytes."""
    digests = []
    for name in ("a", "b"):
        report = deployed(TINY, "--data", str(samples), "-o", str(tmp_path / name))
        files = sorted(Path(report["sources"]).iterdir())
        digests.append(
            [(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files
             if f.suffix != ".elf"]
        )  # fmt: skip
    assert digests[0] == digests[1]


def listening() -> None:
    """A suite that a shell runs in the background has interrupts ignored, and so its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["training", "building", "comparing"])
def test_an_interruption_leaves_nothing_half_written(stage: str, tmp_path: Path) -> None:
    """At every stage: exit 130, and no folder, or one with whole files once all was measured."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "microai", "deploy", "--emulate", "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=listening,  # noqa: PLW1509  nothing runs beside it
    )  # fmt: skip
    assert process.stderr
    while stage.encode() not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    too_late = stage == "comparing" and process.returncode == 0
    assert too_late or (process.returncode == 130 and b"interrupted" in said)
    whole = {"digits.c", "digits.h", "digits.mai", "firmware.elf"}
    assert not out.exists() or whole <= {file.name for file in out.iterdir()}
    assert out.exists() == (stage == "comparing")


@pytest.mark.qemu
def test_without_torch_an_integer_network_deploys(tmp_path: Path) -> None:
    """The core alone runs what was quantized elsewhere."""
    (tmp_path / "net.mai").write_bytes(to_bytes(quantized("shared")))
    np.savez(tmp_path / "x.npz", X=np.random.default_rng(3).normal(size=(4, 6)))
    code = "import sys; sys.modules['torch'] = None; from microai.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "deploy", str(tmp_path / "net.mai"), "--data",
         str(tmp_path / "x.npz"), "--emulate", "--json", "-o", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bit_exact"]
