# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: 32x32 pictures of ten kinds of things, in the binary version of the archive.

Krizhevsky, "Learning multiple layers of features from tiny images", 2009. A record is a label and
32x32 bytes each of red, green and blue.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microai.datasets.archive import Found, find
from microai.datasets.dataset import DataSet, Expected, Parts, require
from microai.errors import UsageError
from microai.types import Array, Arrays

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
BATCHES = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",),
}  # fmt: skip
FILES = re.compile(r"(?:^|/)(data_batch_[1-5]|test_batch|batches\.meta)(|\.bin|\.txt|\.mat)$")
RECORD_BYTES = 1 + 32 * 32 * 3
LIMIT_BYTES = 64 << 20


def read(paths: Sequence[Path], _: Expected) -> Parts:
    """X uint8 (N, 32, 32, 3) in RGB, and y, in the order of the batches."""
    batches: dict[str, Array] = {}
    for found in find(paths, FILES, LIMIT_BYTES):
        if found.key[1] in ("", ".mat"):
            raise UsageError(
                f"{found.place}: the Python or Matlab version; pass the binary one, "
                "cifar-10-binary.tar.gz, which can run no code"
            )
        batches[found.key[0]] = _classes(found) if found.key[1] == ".txt" else _records(found)
    names = [name for part in BATCHES.values() for name in part]
    require(paths, [f"{name}.bin" for name in names], [f"{name}.bin" for name in batches])
    return {part: _part([batches[name] for name in names]) for part, names in BATCHES.items()}


def _part(batches: list[Array]) -> Arrays:
    records = np.concatenate(batches)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return {
        "X": np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        "y": records[:, 0],
        "classes": np.array(CLASSES),
    }


def _records(found: Found) -> Array:
    """uint8 (N, 3073), or UsageError."""
    if not found.content or len(found.content) % RECORD_BYTES:
        raise UsageError(
            f"{found.place}: {len(found.content)} bytes, expected records of {RECORD_BYTES}; "
            "download it again"
        )
    records = np.frombuffer(found.content, np.uint8).reshape(-1, RECORD_BYTES)
    if (last := records[:, 0].max()) >= len(CLASSES):
        raise UsageError(f"{found.place}: holds class {last}, expected 0 to {len(CLASSES) - 1}")
    return records


def _classes(found: Found) -> Array:
    """The names as bytes, which must be ours."""
    names = found.content.split()
    if names != [name.encode() for name in CLASSES]:
        raise UsageError(f"{found.place}: expected {', '.join(CLASSES)}; it is another set")
    return np.array(names)


CIFAR10 = DataSet(
    "cifar10", "cifar10", "CIFAR-10", "https://www.cs.toronto.edu/~kriz/cifar.html",
    "cifar-10-binary.tar.gz",
    Expected((5000,) * 10, (1000,) * 10, {
        "cifar-10-binary.tar.gz":
            "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    }),
    read,
)  # fmt: skip
