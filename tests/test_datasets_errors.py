# SPDX-License-Identifier: Apache-2.0
"""Damaged, wrong or missing archives of data sets: a sentence each, and nothing written."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from microai.datasets import DATASETS
from microai.datasets.dataset import convert
from microai.errors import DeviceError
from tests import archives
from tests.archives import FILES, SMALL, Files, noise, sentence, wav, zipped
from tests.test_cli import Result

UCI = "UCI HAR Dataset"
WAV = "free-spoken-digit-dataset-master/recordings"
PPM = "GTSRB/Final_Training/Images"
BIN = "cifar-10-batches-bin"
LINE = " ".join(["1.0"] * 128)
SHORT = b"RIFF" + wav(noise(0, "theo", 0))[4:-800]


CONTENTS: dict[str, tuple[str, str, bytes, str]] = {  # set, file, its content, the sentence's end
    "label": ("uci_har", f"{UCI}/train/y_train.txt", b"1\n7\n", "holds 7, expected 1 to 6"),
    "half": ("uci_har", f"{UCI}/test/y_test.txt", b"1.5\n", "holds 1.5, expected 1 to 6"),
    "subject": ("uci_har", f"{UCI}/train/subject_train.txt", b"0\n", "holds 0, expected 1 to 30"),
    "short line": (
        "uci_har", f"{UCI}/train/Inertial Signals/body_acc_x_train.txt",
        b"%s\n1 2\n" % LINE.encode(), "line 2 has 2 numbers, expected 128",
    ),
    "word": (
        "uci_har", f"{UCI}/train/Inertial Signals/body_acc_x_train.txt",
        LINE.replace("1.0", "one", 1).encode(),
        "has other things than numbers from -100 to 100; download it again",
    ),
    "nan": (
        "uci_har", f"{UCI}/train/Inertial Signals/body_acc_x_train.txt",
        LINE.replace("1.0", "nan", 1).encode(),
        "has other things than numbers from -100 to 100; download it again",
    ),
    "huge": (
        "uci_har", f"{UCI}/train/Inertial Signals/body_acc_x_train.txt",
        LINE.replace("1.0", "1e300", 1).encode(),
        "has other things than numbers from -100 to 100; download it again",
    ),
    "speaker": (
        "fsdd", f"{WAV}/0_nobody_0.wav", b"",
        "expected recordings 0 to 49 of george, jackson, lucas, nicolas, theo, yweweler",
    ),
    "recording": (
        "fsdd", f"{WAV}/0_theo_50.wav", b"",
        "expected recordings 0 to 49 of george, jackson, lucas, nicolas, theo, yweweler",
    ),
    "no wav": (
        "fsdd", f"{WAV}/0_theo_0.wav", b"OggS" * 9,
        "no WAV file: file does not start with RIFF id; download it again",
    ),
    "empty wav": (
        "fsdd", f"{WAV}/0_theo_0.wav", b"", "no WAV file: it ends too early; download it again",
    ),
    "wav size": (
        "fsdd", f"{WAV}/0_theo_0.wav",
        wav(noise(0, "theo", 0)).replace(b"fmt \x10", b"fmt \x3b"),
        "no WAV file: it ends too early; download it again",
    ),
    "rate": (
        "fsdd", f"{WAV}/0_theo_0.wav", wav(noise(0, "theo", 0), rate=16000),
        "16000 Hz, 1 channels, 16 bit; expected 8000 Hz, 1 channel, 16 bit",
    ),
    "stereo": (
        "fsdd", f"{WAV}/0_theo_0.wav", wav(noise(0, "theo", 0), channels=2),
        "8000 Hz, 2 channels, 16 bit; expected 8000 Hz, 1 channel, 16 bit",
    ),
    "8 bit": (
        "fsdd", f"{WAV}/0_theo_0.wav", wav(noise(0, "theo", 0), width=1),
        "8000 Hz, 1 channels, 8 bit; expected 8000 Hz, 1 channel, 16 bit",
    ),
    "short wav": (
        "fsdd", f"{WAV}/0_theo_0.wav", SHORT, "400 of 800 samples are there; download it again",
    ),
    "silent wav": (
        "fsdd", f"{WAV}/0_theo_0.wav", wav(np.zeros(0)),
        "0 of 0 samples are there; download it again",
    ),
    "class": ("gtsrb", f"{PPM}/00043/00000_00000.ppm", b"", "class 43, expected 0 to 42"),
    "picture": (
        "gtsrb", f"{PPM}/00001/00000_00000.ppm", archives.ppm(archives.flag(1, 2))[:-1],
        "no whole picture (PPM, P6) of 8-bit RGB; download it again",
    ),
    "no picture": (
        "gtsrb", f"{PPM}/00001/00000_00000.ppm", b"\xff\xd8\xff\xe0",
        "no whole picture (PPM, P6) of 8-bit RGB; download it again",
    ),
    "test class": (
        "gtsrb", "GT-final_test.csv", b"Filename\n00000.ppm;60;40;5;5;55;35;43\n",
        "'00000.ppm;60;40;5;5;55;35;43', expected NAME.ppm;...;CLASS with classes 0 to 42",
    ),
    "no test class": (
        "gtsrb", "GT-final_test.csv", b"Filename\n00000.ppm;60;40;5;5;55;35\n",
        "'00000.ppm;60;40;5;5;55;35', expected NAME.ppm;...;CLASS with classes 0 to 42",
    ),
    "cifar class": (
        "cifar10", f"{BIN}/test_batch.bin", b"\n" + bytes(3072), "holds class 10, expected 0 to 9",
    ),
    "record": (
        "cifar10", f"{BIN}/test_batch.bin", bytes(3072),
        "3072 bytes, expected records of 3073; download it again",
    ),
    "empty batch": (
        "cifar10", f"{BIN}/test_batch.bin", b"",
        "0 bytes, expected records of 3073; download it again",
    ),
    "names": (
        "cifar10", f"{BIN}/batches.meta.txt", b"cat\ndog\n",
        ("expected airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck; "
         "it is another set"),
    ),
    "pickle": (
        "cifar10", "cifar-10-batches-py/data_batch_1", b"\x80\x02}q\x01.",
        ("the Python or Matlab version; pass the binary one, cifar-10-binary.tar.gz, which can "
         "run no code"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_wrong_content(name: str, tmp_path: Path) -> None:
    """Says in which file of which archive what was expected."""
    kind, file, content, words = CONTENTS[name]
    path = zipped({file: content, **{n: f for n, f in FILES[kind]().items() if n != file}},
                  tmp_path / "a.zip")  # fmt: skip
    assert sentence(kind, path) == f"{path}: {file}: {words}"


def without(kind: str, *names: str) -> Files:
    """A set's files but for some."""
    return {n: f for n, f in FILES[kind]().items() if not n.endswith(names)}


MISSING: dict[str, tuple[str, Files, str]] = {
    "signal": (
        "uci_har", without("uci_har", "body_gyro_y_test.txt"),
        "{path}: no test/Inertial Signals/body_gyro_y_test.txt; pass all that is published",
    ),
    "labels": (
        "uci_har", without("uci_har", "y_train.txt", "subject_test.txt"),
        ("{path}: no train/Inertial Signals/body_acc_y_train.txt and 4 more; "
         "pass all that is published"),
    ),
    "csv": (
        "gtsrb", without("gtsrb", "GT-final_test.csv"),
        "{path}: no GT-final_test.csv; pass all that is published",
    ),
    "batches": (
        "cifar10", without("cifar10", "_4.bin", "test_batch.bin"),
        "{path}: no data_batch_4.bin and 1 more; pass all that is published",
    ),
    "all": (
        "cifar10", {"x": b""},
        "{path}: no data_batch_1.bin and 5 more; pass all that is published",
    ),
    "lines": (
        "uci_har", {**archives.uci_har(), f"{UCI}/train/y_train.txt": b"1\n2\n"},
        "UCI-HAR, train: files have [2, 6] lines, expected as many each",
    ),
    "subject twice": (
        "uci_har", {**archives.uci_har(), f"{UCI}/test/subject_test.txt": b"3\n" * 6},
        "subject 3 is in train and in test; pass the published archive",
    ),
    "not in csv": (
        "gtsrb", {**archives.gtsrb(), "GTSRB/Final_Test/Images/00007.ppm":
                  archives.ppm(archives.flag(0, 0))},
        "GT-final_test.csv has no 00007.ppm; pass the published archives",
    ),
    "counts": (
        "fsdd", without("fsdd", "3_theo_5.wav"),
        ("Free Spoken Digit Dataset, train: 19 of 20 samples (three 1 of 2); pass what is "
         "published at https://github.com/Jakobovski/free-spoken-digit-dataset, or --partial to "
         "take what is there"),
    ),
    "test counts": (
        "gtsrb", without("gtsrb", "Final_Test/Images/00001.ppm"),
        ("GTSRB, test: 2 of 3 samples (end of no passing over 3.5 t 0 of 1); pass what is "
         "published at https://benchmark.ini.rub.de/gtsrb_dataset.html, or --partial to take what "
         "is there"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_missing(name: str, tmp_path: Path) -> None:
    """Files and samples."""
    kind, files, words = MISSING[name]
    path = zipped(files, tmp_path / "a.zip")
    assert sentence(kind, path) == words.format(path=path)


def test_partial(tmp_path: Path) -> None:
    """Fewer samples are told of; more than are published are refused, and so are none."""
    told: list[str] = []
    path = zipped(without("fsdd", "3_theo_5.wav"), tmp_path / "a.zip")
    parts = convert(SMALL["fsdd"], [path], told.append, partial=True)
    assert len(parts["train"]["X"]) == 19
    assert told == ["PARTIAL: Free Spoken Digit Dataset, train: 19 of 20 samples (three 1 of 2)"]
    more = {**archives.fsdd(), f"{WAV}/3_theo_6.wav": wav(noise(3, "theo", 6))}
    assert sentence("fsdd", zipped(more, path), partial=True) == (
        "Free Spoken Digit Dataset, train: 21 of 20 samples (three 3 of 2); pass what is published "
        "at https://github.com/Jakobovski/free-spoken-digit-dataset"
    )
    train = {n: f for n, f in archives.fsdd().items() if not n.endswith("_0.wav")}
    assert sentence("fsdd", zipped(train, path), partial=True).startswith(
        "Free Spoken Digit Dataset, test: 0 of 20 samples (zero 0 of 2, one 0 of 2, two 0 of 2 "
    )


def test_pillow_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing only where pictures are read."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    convert(SMALL["cifar10"], [zipped(archives.cifar10(), tmp_path / "a.zip")], print)
    with pytest.raises(DeviceError, match=r"^PIL is not installed: pip install 'microai\[data\]'$"):
        convert(SMALL["gtsrb"], [zipped(archives.gtsrb(), tmp_path / "a.zip")], print)


def test_command(tmp_path: Path) -> None:
    """What is missing on the command line, and where the set is published."""
    out = tmp_path / "out"
    gone = tmp_path / "cifar-10-binary.tar.gz"
    where = (
        "CIFAR-10 is published at https://www.cs.toronto.edu/~kriz/cifar.html; `microai data "
        "cifar10 ARCHIVE -o FOLDER` makes cifar10_train.npz and cifar10_test.npz of "
        "cifar-10-binary.tar.gz"
    )
    (tmp_path / "file").write_text("")
    for arguments, words in {
        ("mnist", "a.zip"): "KIND is 'mnist', expected one of uci_har, fsdd, gtsrb, cifar10",
        ("cifar10",): f"no archive given; {where}",
        ("cifar10", str(gone)): f"{gone}: no such file or folder; {where}",
    }.items():
        result = Result("data", *arguments, "-o", str(out))
        assert (result.code, result.message) == (2, words)
        assert not out.exists()
    file = tmp_path / "file"
    result = Result("data", "cifar10", str(gone), "-o", str(file))
    words = f"{file / 'cifar10_train.npz'}: cannot write: {file} is not a writable folder"
    assert (result.code, result.message) == (2, words)


def test_checksums_are_of_published_files() -> None:
    """Digits of the length of their algorithm, and for files that the sets do hold."""
    for dataset in DATASETS.values():
        for name, text in dataset.expected.checksums.items():
            algorithm, _, digits = text.partition(":")
            assert re.fullmatch(r"[0-9a-f]+", digits), name
            assert len(digits) == {"md5": 32, "sha256": 64}[algorithm], name
    signals = {f"{s}_{part}.txt" for s in archives.SIGNALS for part in ("train", "test")}
    assert set(DATASETS["uci_har"].expected.checksums) == signals
