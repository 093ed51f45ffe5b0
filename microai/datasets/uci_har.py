# SPDX-License-Identifier: Apache-2.0
"""UCI-HAR: six activities of 30 subjects, windows of 128 samples at 50 Hz of nine signals.

Anguita et al., "A public domain dataset for human activity recognition using smartphones",
ESANN 2013. Windows overlap by half, so no subject may be split between training and validation.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microai.datasets.archive import Found, find
from microai.datasets.dataset import PARTS, DataSet, Expected, Parts, check_content, require
from microai.errors import UsageError
from microai.types import Array, Arrays

CHANNELS = tuple(
    f"{signal}_{axis}" for signal in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
)
CLASSES = (
    "WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING",
)  # fmt: skip
SUBJECTS = 30
WINDOW = 128
LARGEST = 100  # g or rad/s; what is published stays below 6
FILES = re.compile(
    r"(?:^|/)(train|test)/(?:Inertial Signals/)?"
    r"((?:body_acc|body_gyro|total_acc)_[xyz]|y|subject)_\1\.txt$"
)
LIMIT_BYTES = 64 << 20
Tables = dict[tuple[str, ...], Array]
"""Numbers by part and name."""


def read(paths: Sequence[Path], expected: Expected) -> Parts:
    """X float32 (N, 128, 9) in g and rad/s, y, and the `subject` 1 to 30."""
    tables: Tables = {}
    for found in find(paths, FILES, LIMIT_BYTES):
        check_content(found, expected)
        tables[found.key] = _numbers(found)
    keys = {f"{part}/{_path(name)}_{part}.txt": (part, name)
            for part in PARTS for name in (*CHANNELS, "y", "subject")}  # fmt: skip
    require(paths, list(keys), [name for name, key in keys.items() if key in tables])
    parts = {part: _part(part, tables) for part in PARTS}
    if both := set(parts["train"]["subject"].tolist()) & set(parts["test"]["subject"].tolist()):
        raise UsageError(f"subject {min(both)} is in train and in test; pass the published archive")
    return parts


def _path(name: str) -> str:
    return f"Inertial Signals/{name}" if name in CHANNELS else name


def _numbers(found: Found) -> Array:
    """Signals (N, 128), labels and subjects (N,)."""
    width = WINDOW if found.key[1] in CHANNELS else 1
    rows = [line.split() for line in found.content.splitlines() if line.strip()]
    if wrong := next((i for i, row in enumerate(rows, 1) if len(row) != width), 0):
        raise UsageError(f"{found.place}: line {wrong} has {len(rows[wrong - 1])} numbers, "
                         f"expected {width}")  # fmt: skip
    try:
        table = np.array(rows, np.bytes_).astype(np.float64).reshape(-1, width)
    except ValueError:
        table = np.full((1, width), np.nan)
    if not (np.abs(table) <= LARGEST).all():
        raise UsageError(
            f"{found.place}: has other things than numbers from -{LARGEST} to {LARGEST}; "
            "download it again"
        )
    return table.astype(np.float32) if width > 1 else _whole(found, table[:, 0])


def _whole(found: Found, values: Array) -> Array:
    """Labels or subjects, counted from 1."""
    last = len(CLASSES) if found.key[1] == "y" else SUBJECTS
    if bad := [v for v in values.tolist() if v not in range(1, last + 1)]:
        raise UsageError(f"{found.place}: holds {bad[0]:g}, expected 1 to {last}")
    return values.astype(np.uint8)


def _part(part: str, tables: Tables) -> Arrays:
    y, subject = tables[part, "y"], tables[part, "subject"]
    signals = [tables[part, name] for name in CHANNELS]
    counts = {len(y), len(subject), *map(len, signals)}
    if len(counts) > 1:
        raise UsageError(
            f"UCI-HAR, {part}: files have {sorted(counts)} lines, expected as many each"
        )
    return {
        "X": np.stack(signals, axis=-1), "y": y - np.uint8(1), "classes": np.array(CLASSES),
        "subject": subject, "channels": np.array(CHANNELS),
    }  # fmt: skip


SHA256 = {  # train, test; repositories with copies agree on them
    "body_acc_x": (
        "89f7bf5e360384804439d00f463dd2f717c452c683cac6c0a09b1a191d8ce4a2",
        "c07eb8ee8c76eafcd94b42111082700e10f4956b769fbbb0d5413c14f38774fa",
    ),
    "body_acc_y": (
        "4775a586a5a1acc6706edee08c685835daea7bc1d9274e7e7e8d660fea173944",
        "0ed0057b41f6870b16a6953ef17f6d42bc5542fa304319fb6b7f424dd3380f0b",
    ),
    "body_acc_z": (
        "9155718981ff1331dcd2d30aee545905ffba71af9ece5a08d6dfdeeb7d2ec4fb",
        "a2b58317137533bdbf2342bf301ae854c15b1168259cc7b582c2dd131e3d81d5",
    ),
    "body_gyro_x": (
        "423f6806f09059de3c1f443cf1d04a3c3907dc7ee17b5d296ed775b07aa6cde6",
        "fb4f27f13e4e08055043f34ed52f6d8bbe8ebce7dff9475ff92be03b3d3f607c",
    ),
    "body_gyro_y": (
        "42419d8aaefd1a319561998defb167bfa57f7e51d656b6012d5a59c0b10f5260",
        "d2501166b2b1f645b51f722fcf31f3aa1e9a3edae18d49322612f37b4495cb80",
    ),
    "body_gyro_z": (
        "05bc629faee918b0f5b99cd2e68f860c785889627ec8efeb85c29282f3963988",
        "90a18ce534be0dfc616cefdac9874e2ea599ae20421cd161361c2a33f40cfa5e",
    ),
    "total_acc_x": (
        "41a7fe1da7b529cc6c2c3d7df97c98752bea74d7a142673dd59c7820fad3b5e6",
        "ea71c339c828561bc1dc6f7301a54aeb7e61e6312cb2387ebaea832ffd04203d",
    ),
    "total_acc_y": (
        "03bd3a80c0c04bf354597ad62920158b4b6605e157d856a1aab9abb357d40c5d",
        "32692c617b40c16e020bf059a316bd6bf3a63d771f030dfc5fa4003f390b6f67",
    ),
    "total_acc_z": (
        "5be3b593f88d49bb8f740c1c41379fc928ea8608d706594ebbba81cd800a5a33",
        "622ddf1d9532fbe340472074ef1edd1a2f58aa332682542bb36a8c03c9ba9e04",
    ),
}
CHECKSUMS = {
    f"{name}_{part}.txt": f"sha256:{digits}"
    for name, both in SHA256.items()
    for part, digits in zip(PARTS, both, strict=True)
}
UCI_HAR = DataSet(
    "uci_har", "uci_har", "UCI-HAR", "https://archive.ics.uci.edu/dataset/240",
    "the zip from there, or `UCI HAR Dataset.zip` in it",
    Expected((1226, 1073, 986, 1286, 1374, 1407), (496, 471, 420, 491, 532, 537), CHECKSUMS), read,
)  # fmt: skip
