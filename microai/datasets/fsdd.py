# SPDX-License-Identifier: Apache-2.0
"""Free Spoken Digit Dataset: ten digits, six speakers, 50 recordings of each, as 39x13 MFCC.

Recordings 0 to 4 are the test part, as its README says; 8 kHz, mono, 16 bit.
"""

import re
import wave
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from microai.datasets.archive import Found, find
from microai.datasets.dataset import DataSet, Expected, Parts
from microai.datasets.mfcc import RATE_HZ, mfcc
from microai.errors import UsageError
from microai.types import Array, Arrays, Floats

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RECORDINGS, TEST_RECORDINGS = 50, 5
FILES = re.compile(r"(?:^|/)([0-9])_([a-z]+)_([0-9]+)\.wav$")
LIMIT_BYTES = 1 << 20  # the longest is 37 kB
Row = tuple[int, int, int]
"""Digit, index of the speaker, number of the recording."""


def read(paths: Sequence[Path], _: Expected) -> Parts:
    """X float32 (N, 39, 13), y, and the index in `speakers` as `speaker`; by digit and speaker."""
    rows: dict[Row, Floats] = {}
    for found in find(paths, FILES, LIMIT_BYTES):
        row = _row(found)
        rows[row] = mfcc(_samples(found))
    ordered = sorted(rows)
    return {
        "train": _part(rows, [row for row in ordered if row[2] >= TEST_RECORDINGS]),
        "test": _part(rows, [row for row in ordered if row[2] < TEST_RECORDINGS]),
    }


def _part(rows: dict[Row, Floats], chosen: list[Row]) -> Arrays:
    table = np.array(chosen, np.uint8).reshape(-1, 3)
    return {
        "X": np.array([rows[row] for row in chosen], np.float32), "y": table[:, 0],
        "classes": np.array(CLASSES), "speaker": table[:, 1], "recording": table[:, 2],
        "speakers": np.array(SPEAKERS),
    }  # fmt: skip


def _row(found: Found) -> Row:
    digit, speaker, recording = found.key
    if speaker not in SPEAKERS or int(recording) >= RECORDINGS:
        raise UsageError(
            f"{found.place}: expected recordings 0 to {RECORDINGS - 1} of {', '.join(SPEAKERS)}"
        )
    return int(digit), SPEAKERS.index(speaker), int(recording)


def _samples(found: Found) -> Array:
    """int16 (n,), or UsageError."""
    try:
        with wave.open(BytesIO(found.content)) as file:
            kind = file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()
            count, content = file.getnframes(), file.readframes(file.getnframes())
    except (wave.Error, EOFError, RuntimeError) as error:
        reason = str(error) or "it ends too early"
        raise UsageError(f"{found.place}: no WAV file: {reason}; download it again") from None
    if kind != (RATE_HZ, 1, 16):
        raise UsageError(
            f"{found.place}: {kind[0]} Hz, {kind[1]} channels, {kind[2]} bit; "
            f"expected {RATE_HZ} Hz, 1 channel, 16 bit"
        )
    if not count or len(content) != 2 * count:
        raise UsageError(
            f"{found.place}: {len(content) // 2} of {count} samples are there; download it again"
        )
    return np.frombuffer(content, "<i2")


FSDD = DataSet(
    "fsdd", "fsdd_mfcc", "Free Spoken Digit Dataset",
    "https://github.com/Jakobovski/free-spoken-digit-dataset",
    "the repository (.zip, .tar.gz or a clone)", Expected((270,) * 10, (30,) * 10), read,
)  # fmt: skip
