# SPDX-License-Identifier: Apache-2.0
"""Small archives in the structure of the published ones: files by name, and ways to pack them."""

import io
import tarfile
import wave
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microai.datasets import DATASETS
from microai.datasets.dataset import DataSet, Expected, convert
from microai.errors import UsageError

Files = dict[str, bytes]
SIGNALS = [f"{s}_{a}" for s in ("body_acc", "body_gyro", "total_acc") for a in "xyz"]
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
CIFAR_CLASSES = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
CIFAR_FILES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def uci_har() -> Files:
    """Windows whose samples count up, in steps of 2^-10; two subjects train, one tests."""
    files: Files = {"UCI HAR Dataset/README.txt": b"read me"}
    for part, labels, subjects in (("train", "123456", "1111 33"), ("test", "124566", "222222")):
        folder, subject = f"UCI HAR Dataset/{part}", subjects.replace(" ", "")
        for c, signal in enumerate(SIGNALS):
            rows = (np.arange(6 * 128).reshape(6, 128) + 1000 * c) / 1024
            text = "".join(" ".join(f"{v: .7e}" for v in row) + "\r\n" for row in rows)
            name = f"{folder}/Inertial Signals/{signal}_{part}.txt"
            files[name] = text.replace("e-0", "e-00").replace("e+0", "e+00").encode()
        files[f"{folder}/y_{part}.txt"] = "".join(f"{y}\n" for y in labels).encode()
        files[f"{folder}/subject_{part}.txt"] = "".join(f"{s}\n" for s in subject).encode()
    return files


def wav(samples: np.ndarray, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    """A recording."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def noise(digit: int, speaker: str, recording: int) -> np.ndarray:
    """A tenth of a second that only this recording has."""
    random = np.random.default_rng([digit, SPEAKERS.index(speaker), recording])
    return random.integers(-9999, 9999, 800).astype(np.int16)


def fsdd() -> Files:
    """Every digit by two speakers, recordings 0 and 5."""
    return {"free-spoken-digit-dataset-master/metadata.py": b"pass"} | {
        f"free-spoken-digit-dataset-master/recordings/{d}_{s}_{r}.wav": wav(noise(d, s, r))
        for d in range(10) for s in ("theo", "george") for r in (5, 0)
    }  # fmt: skip


def ppm(pixels: np.ndarray) -> bytes:
    """A picture of (height, width, 3) bytes."""
    return b"P6\n%d %d\n255\n" % pixels.shape[1::-1] + pixels.astype(np.uint8).tobytes()


def flag(left: int, right: int) -> np.ndarray:
    """A picture, wider than high, of two greys; its red is one more."""
    pixels = np.full((40, 60, 3), left)
    pixels[:, 30:] = right
    pixels[..., 0] += 1
    return pixels


def gtsrb(folder: str = "Final_Training/Images") -> Files:
    """A picture of each class, two tracks of two frames of class 1, and three test pictures."""
    rows = [(c, 0, 0) for c in range(43)] + [(1, 0, 1), (1, 1, 0), (1, 1, 1)]
    files = {
        f"GTSRB/{folder}/{c:05d}/{track:05d}_{frame:05d}.ppm": ppm(flag(c, 100 + track + frame))
        for c, track, frame in rows
    }
    files[f"GTSRB/{folder}/00000/GT-00000.csv"] = b"Filename;ClassId\n"
    files |= {f"GTSRB/Final_Test/Images/{i:05d}.ppm": ppm(flag(i, 200)) for i in range(3)}
    files["GTSRB/Final_Test/Images/GT-final_test.test.csv"] = b"Filename;Width\n"
    rows_of_test = "".join(f"{i:05d}.ppm;60;40;5;5;55;35;{y}\r\n" for i, y in enumerate((7, 42, 0)))
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"
    files["GT-final_test.csv"] = (header + rows_of_test).encode()
    return files


def cifar10() -> Files:
    """Two records a batch; each of the six batches has its number in the first red pixel."""
    files = {"cifar-10-batches-bin/batches.meta.txt": CIFAR_CLASSES}
    for b, name in enumerate(CIFAR_FILES):
        records = np.zeros((2, 3073), np.uint8)
        records[:, 0] = 2 * b % 10, (2 * b + 1) % 10
        records[:, 1], records[:, 1 + 1024 + 1], records[:, 1 + 2048 + 32] = b, 50, 60
        files[f"cifar-10-batches-bin/{name}.bin"] = records.tobytes()
    return files


FILES: dict[str, Callable[[], Files]] = {
    "uci_har": uci_har, "fsdd": fsdd, "gtsrb": gtsrb, "cifar10": cifar10,
}  # fmt: skip
COUNTS = {
    "uci_har": Expected((1,) * 6, (1, 1, 0, 1, 1, 2)),
    "fsdd": Expected((2,) * 10, (2,) * 10),
    "gtsrb": Expected((1, 4, *[1] * 41), (1, *[0] * 6, 1, *[0] * 34, 1)),
    "cifar10": Expected((1,) * 10, (1, 1, *[0] * 8)),
}
SMALL: dict[str, DataSet] = {
    kind: replace(dataset, expected=COUNTS[kind]) for kind, dataset in DATASETS.items()
}
"""The sets with the counts of these archives, and no checksums."""


def zipped(files: Files, path: Path) -> Path:
    """As a .zip."""
    path.write_bytes(zip_bytes(files))
    return path


def zip_bytes(files: Files) -> bytes:
    """The bytes of a .zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return content.getvalue()


def tarred(files: Files, path: Path) -> Path:
    """As a .tar, compressed as the name's end says."""
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, file in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(file)
            archive.addfile(info, io.BytesIO(file))
    return path


def unpacked(files: Files, path: Path) -> Path:
    """As a folder."""
    for name, file in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(file)
    return path


def sentence(kind: str, *paths: Path, partial: bool = False) -> str:
    """What a small set's archives are refused with."""
    with pytest.raises(UsageError) as raised:
        convert(SMALL[kind], paths, lambda _: None, partial=partial)
    return str(raised.value)
