# SPDX-License-Identifier: Apache-2.0
"""The command line without an emulator: results on stdout, one-line errors, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from microai import __version__, cli, export
from microai.errors import MicroaiError
from microai.export import FORMATS
from microai.save import to_bytes
from microai.source import Question, open_source
from tests import networks
from tests.graphs import GRAPHS, quantized

HERE = str(Path(networks.__file__))
TINY = f"{HERE}:tiny"


class Result:
    """What a command did."""

    def __init__(self, *arguments: str) -> None:
        done = CliRunner().invoke(cli.app, list(arguments))
        self.stdout, self.error = done.stdout, done.exception
        self.code = done.exit_code
        if isinstance(done.exception, MicroaiError):
            self.code = done.exception.exit_code
        elif done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception

    @property
    def message(self) -> str:
        return str(self.error)


@pytest.fixture
def mai(tmp_path: Path) -> Path:
    """An integer network as a file."""
    path = tmp_path / "net.mai"
    path.write_bytes(to_bytes(quantized("residual")))
    return path


def test_version() -> None:
    """Nothing but the version."""
    assert Result("version").stdout == f"{__version__}\n"


def test_boards_and_ops_as_tables_and_json() -> None:
    """Made from the files, never written by hand."""
    assert "STM32L452RE" in Result("boards").stdout
    found = json.loads(Result("boards", "--json").stdout)
    assert {b["name"] for b in found["boards"]} >= {"stm32l4", "apollo3", "l4r5"}
    apollo = next(b for b in found["boards"] if b["name"] == "apollo3")
    assert all(clock["wait_states"] is None for clock in apollo["clocks"])
    matrix = json.loads(Result("ops", "--json").stdout)
    assert matrix["Conv"]["portable"] == ["1d f32", "1d int", "2d f32", "2d int"]
    assert matrix["Quantize"] == {"portable": ["f32_yint", "int"]}
    assert "DepthwiseConv" in Result("ops").stdout


def test_doctor_tries_the_tools() -> None:
    """And fails when one is missing."""
    tools = {t["name"]: t for t in json.loads(Result("doctor", "--json").stdout)["tools"]}
    assert tools["arm-none-eabi-gcc"]["ok"]
    result = Result("doctor", "--qemu", "no-such-qemu")
    assert result.code == 5
    assert "missing" in result.stdout


def test_check_says_what_it_would_cost(mai: Path) -> None:
    """Layers, kernels, memory; with a board, whether it fits."""
    result = Result("check", str(mai), "--board", "stm32l4")
    assert result.code == 0
    assert "portable" in result.stdout
    facts = json.loads(Result("check", TINY, "--json").stdout)
    assert facts["macs"] == 2 * 2 * 4 * 9 + 16 * 3
    assert facts["arena_bytes"] >= facts["arena_lower_bound_bytes"] > 0


def test_generate_writes_everything_a_user_needs(samples: Path, tmp_path: Path) -> None:
    """C, headers, kernels and the graph; twice the same bytes; compiles alone."""
    out = tmp_path / "out"
    arguments = ("generate", TINY, "--calibration", str(samples), "--name", "tiny")
    assert Result(*arguments, "-o", str(out)).code == 0
    first = {p.name: p.read_bytes() for p in out.iterdir()}
    assert {"tiny.c", "tiny.h", "tiny.mai", "mai_conv_simd_s8.h"} <= set(first)
    assert Result(*arguments, "--out", str(tmp_path / "again")).code == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()} == first
    subprocess.run(
        ["gcc", "-std=c99", "-Wall", "-Werror", "-c", "tiny.c", "-o", os.devnull],
        cwd=out, check=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["int", "arena", "mps2", "context_0"])
def test_any_identifier_is_a_prefix(name: str, samples: Path, tmp_path: Path) -> None:
    """Also those that the harness or C use: the image builds."""
    result = Result("check", TINY, "--name", name, "--board", "stm32l4")
    assert result.code == 0
    assert "fits: True" in result.stdout


def test_zscore_is_emitted(samples: Path, tmp_path: Path) -> None:
    """As macros for the caller."""
    out = tmp_path / "out"
    arguments = ("--calibration", str(samples), "--normalize", "zscore", "-o", str(out))
    assert Result("generate", TINY, *arguments).code == 0
    header = (out / "model.h").read_text()
    images = np.load(samples)["X"]
    line = next(row for row in header.splitlines() if "INPUT_MEAN" in row)
    assert float(line.split("{")[1].split("f")[0]) == pytest.approx(images.mean(), abs=1e-6)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own."""
    command = [sys.executable, "-m", "microai", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_errors_reach_the_shell_as_one_line() -> None:
    """On stderr, with the exit code; stdout stays empty."""
    done = process("check", "gone.mai")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: gone.mai: no such file\n"


def test_our_own_bug_is_exit_1_with_a_saved_traceback(monkeypatch, capsys) -> None:
    """The user sees one line."""
    monkeypatch.setattr(cli, "app", lambda: 1 / 0)
    with pytest.raises(SystemExit) as raised:
        cli.main()
    assert raised.value.code == 1
    line = capsys.readouterr().err
    assert "internal error: ZeroDivisionError; please report " in line
    log = Path("".join(line.split("report ")[1].split()))
    assert "Traceback" in log.read_text()
    log.unlink()


def test_interruption_is_130(monkeypatch, capsys) -> None:
    """Without a traceback."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as raised:
        cli.main()
    assert raised.value.code == 130
    assert "interrupted" in capsys.readouterr().err


def test_missing_toolchain_says_how_to_install(samples: Path, tmp_path: Path) -> None:
    """Exit 5, before anything is half done."""
    out = str(tmp_path / "out")
    done = process("deploy", TINY, "--data", str(samples), "--emulate", "-o", out, PATH="/nowhere")
    assert done.returncode == 5
    assert "apt-get install --no-install-recommends gcc-arm-none-eabi" in done.stderr
    assert not Path(out).exists()


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
sys.modules["sklearn"] = None
from microai.cli import main
main()
"""


@pytest.mark.parametrize("arguments", [["boards"], ["ops"], ["version"], ["check", "NET"]])
def test_commands_without_torch(arguments: list[str], mai: Path) -> None:
    """The core alone is enough for what does not train or quantize."""
    arguments = [str(mai) if a == "NET" else a for a in arguments]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_float_mai_without_torch(tmp_path: Path) -> None:
    """`check` needs no float rules; `deploy` says so before it builds anything."""
    (tmp_path / "net.mai").write_bytes(to_bytes(GRAPHS["shared"]()))
    for command, code, words in ((["check"], 0, ""), (["deploy", "--emulate"], 5, "need PyTorch")):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *command, "net.mai"], capture_output=True,
            text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert words in done.stderr
        assert "building" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["net.mai"]


def test_stored_samples_are_told(tmp_path: Path) -> None:
    """int8 samples for an int8 network are real numbers, under the input's own name too."""
    (tmp_path / "net.mai").write_bytes(to_bytes(quantized("residual")))
    np.savez(tmp_path / "x.npz", x=np.ones((2, 8, 8, 2), np.int8))
    told: list[str] = []
    question = Question(str(tmp_path / "net.mai"), data=tmp_path / "x.npz")
    source = open_source(question, told.append)
    assert source.samples["x"].shape == (2, 8, 8, 2)
    (line,) = told
    assert line.startswith("input x: the samples are int8 and taken as real numbers; where they")


@pytest.mark.qemu
@pytest.mark.parametrize("kind", FORMATS)
def test_quantized_models_without_torch(kind: str, tmp_path: Path) -> None:
    """An int8 .tflite and a QDQ .onnx: read, built, run, every output checked."""
    (tmp_path / f"net.{kind}").write_bytes(export.to_bytes(quantized("residual"), kind))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "deploy", f"net.{kind}", "--emulate", "--json"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["scheme"], report["mismatches"]) == ("int8", 0)


def test_what_needs_torch_says_so() -> None:
    """With the extra to install."""
    for arguments in (["check", TINY], ["deploy", "--emulate"]):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 5
        assert "pip install 'microai[" in done.stderr
