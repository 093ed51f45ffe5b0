# SPDX-License-Identifier: Apache-2.0
"""Bad input on the command line: its exit code, its sentence, and nothing written or lost."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import HERE, TINY, Result


def bad_npz(tmp_path: Path, **arrays) -> str:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    return str(path)


GOOD_X = np.zeros((4, 1, 4, 4), np.float32)
BAD_DATA = {
    "shape": ({"X": np.zeros((4, 1, 5, 4))}, "has shape (4, 1, 5, 4), expected (N, 1, 4, 4)"),
    "nan": ({"X": np.full((2, 1, 4, 4), np.nan)}, "X has 32 NaN or infinite values"),
    "pickle": ({"X": np.array([{}], object)}, "holds pickled objects; save plain arrays"),
    "no X": ({"Z": GOOD_X}, "no array 'X'; it has Z"),
    "text": ({"X": np.full((4, 1, 4, 4), "a")}, "expected numbers"),
    "empty": ({"X": np.zeros((0, 1, 4, 4))}, "X is empty"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_calibration_data(name: str, tmp_path: Path) -> None:
    """Exit 2 and a sentence with the file's name."""
    arrays, words = BAD_DATA[name]
    path = bad_npz(tmp_path, **arrays)
    result = Result("generate", TINY, "--calibration", path, "-o", str(tmp_path / "out"))
    assert result.code == 2
    assert words in result.message
    assert "bad.npz" in result.message
    assert not (tmp_path / "out").exists()


def test_labels_must_match(tmp_path: Path) -> None:
    """One integer for each sample."""
    path = bad_npz(tmp_path, X=GOOD_X, y=np.zeros(3))
    result = Result("deploy", TINY, "--data", path, "--emulate")
    assert (result.code, "expected (4,) integers" in result.message) == (2, True)


ERRORS = {
    "board": (["deploy", "--board", "nucleo"], 2, "unknown board 'nucleo'; boards: apollo3"),
    "no board": (["deploy"], 5, "no board found; connect it or add --emulate"),
    "scheme": (["check", TINY, "--scheme", "int3"], 2, "expected one of f32, int8"),
    "name": (["check", TINY, "--name", "a b"], 2, "--name is 'a b'"),
    "normalize": (["generate", TINY, "--normalize", "x", "-o", "o"], 2, "zscore or none"),
    "shape": (["check", TINY, "--input-shape", "1,a"], 2, "--input-shape is '1,a'"),
    "calibration": (["generate", TINY, "-o", "o"], 2, "need real samples: pass --calibration"),
    "model": (["check", "x.txt"], 2, "expected one of"),
    "other format": (["export", TINY, "--to", "onnx", "-o", "x.tflite"], 2, "expected .onnx"),
    "unsupported": (["check", f"{HERE}:unsupported"], 3, "aten.mish.default (float32)"),
    "diverged": (["check", f"{HERE}:diverged"], 3, "NaN"),
    "tight": (["check", f"{HERE}:tight", "--board", "stm32l4"], 4, "stm32l4's flash"),
    "ram": (["check", f"{HERE}:huge", "--board", "stm32l4"], 4, "too large for stm32l4's ram"),
    "flash": (["check", f"{HERE}:heavy", "--board", "stm32l4"], 4, "stm32l4's flash"),
    "dictionary": (["check", f"{HERE}:dictionary"], 2, "example inputs must be a tuple"),
    "out": (["generate", TINY, "-o", "/dev/null/x"], 2, "is not a writable folder"),
    "data alone": (["deploy", "--data", "x.npz", "--emulate"], 2, "need a MODEL"),
    "no file": (["check", "gone.mai"], 2, "gone.mai: no such file"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_have_their_code_and_words(name: str, tmp_path: Path, monkeypatch) -> None:
    """And write nothing."""
    monkeypatch.chdir(tmp_path)
    arguments, code, words = ERRORS[name]
    result = Result(*arguments)
    assert result.code == code
    assert words in result.message
    assert not list(tmp_path.iterdir())


def test_folders_are_no_files(tmp_path: Path) -> None:
    """As a model and as samples; endings may be in capitals."""
    (tmp_path / "net.ONNX").mkdir()
    folder = str(tmp_path / "net.ONNX")
    assert "net.ONNX: it is a folder" in Result("check", folder).message
    result = Result("generate", TINY, "--calibration", folder, "-o", str(tmp_path / "out"))
    assert (result.code, "it is a folder, expected an .npy" in result.message) == (2, True)


def test_too_large_says_which_tensors_and_what_helps() -> None:
    """Bytes over, the tensors that meet, ways out."""
    message = Result("check", f"{HERE}:huge", "--board", "stm32l4", "--scheme", "f32").message
    assert "bytes too large for stm32l4's ram (163,840 B); live together: 0 4,194,304 B" in message
    assert "try --scheme int8, a smaller input" in message


def test_no_calibration_for_integers_needed_in_check() -> None:
    """Sizes do not depend on ranges."""
    assert Result("check", f"{HERE}:everything").code == 0


def test_read_only_output(samples: Path, tmp_path: Path) -> None:
    """A sentence; nothing is lost or half there."""
    blocked = tmp_path / "file"
    blocked.write_text("precious")
    result = Result("generate", TINY, "--calibration", str(samples), "-o", str(blocked / "out"))
    assert result.code == 2
    assert "cannot write" in result.message
    assert blocked.read_text() == "precious"


def test_layers_by_name_are_checked() -> None:
    """The option that is wrong is the one named."""
    result = Result("check", TINY, "--layer", "0=int4")
    assert (result.code, "--layer 0 is 'int4', expected one of f32" in result.message) == (2, True)
    result = Result("check", TINY, "--layer", "0")
    assert "--layer is '0', expected NAME=SCHEME" in result.message
    result = Result("check", TINY, "--layer", "3=qmn8", "--layer", "3=f32")
    assert "once for a name" in result.message
    result = Result("check", TINY, "--backend", "neon")
    assert "--backend has no 'neon'; there are cmsis_nn, simd, portable" in result.message
    result = Result("check", TINY, "--backend", "simd", "--scheme", "f32")
    assert "the backends have no conv2d_f32" in result.message


def test_check_says_why_a_kernel_refused() -> None:
    """In the table and as JSON."""
    arguments = ("check", f"{HERE}:everything")
    assert "portable (simd: groups is 4)" in " ".join(Result(*arguments).stdout.split())
    layers = {row["name"]: row for row in json.loads(Result(*arguments, "--json").stdout)["layers"]}
    assert layers["grouped"]["kernel"] == "portable/conv2d_int"
    assert layers["grouped"]["refused"] == "simd: groups is 4"
    assert layers["narrow"]["refused"] == ""
