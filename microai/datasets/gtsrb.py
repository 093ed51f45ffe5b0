# SPDX-License-Identifier: Apache-2.0
"""German Traffic Sign Recognition Benchmark: 43 signs, the whole frame resized to 32x32.

Stallkamp et al., "Man vs. computer", Neural Networks 32, 2012. A track is one sign driven past,
30 frames in a row, so none may be split between training and validation.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microai.datasets.archive import Found, find
from microai.datasets.dataset import DataSet, Expected, Parts, require
from microai.errors import UsageError
from microai.extras import needed
from microai.types import Array, Arrays

CLASSES = (
    "speed limit 20", "speed limit 30", "speed limit 50", "speed limit 60", "speed limit 70",
    "speed limit 80", "end of speed limit 80", "speed limit 100", "speed limit 120", "no passing",
    "no passing over 3.5 t", "right of way at next crossing", "priority road", "yield", "stop",
    "no vehicles", "no vehicles over 3.5 t", "no entry", "general caution", "curve to the left",
    "curve to the right", "double curve", "bumpy road", "slippery road", "road narrows right",
    "road work", "traffic signals", "pedestrians", "children crossing", "bicycles crossing",
    "ice or snow", "wild animals crossing", "end of all limits", "turn right ahead",
    "turn left ahead", "ahead only", "straight or right", "straight or left", "keep right",
    "keep left", "roundabout", "end of no passing", "end of no passing over 3.5 t",
)  # fmt: skip
TRAIN = (
    210, 2220, 2250, 1410, 1980, 1860, 420, 1440, 1410, 1470, 2010, 1320, 2100, 2160, 780, 630,
    420, 1110, 1200, 210, 360, 330, 390, 510, 270, 1500, 600, 240, 540, 270, 450, 780, 240, 689,
    420, 1200, 390, 210, 2070, 300, 360, 240, 240,
)  # fmt: skip
TEST = (
    60, 720, 750, 450, 660, 630, 150, 450, 450, 480, 660, 420, 690, 720, 270, 210, 150, 360, 390,
    60, 90, 90, 120, 150, 90, 480, 180, 60, 150, 90, 150, 270, 60, 210, 120, 390, 120, 60, 690,
    90, 90, 60, 90,
)  # fmt: skip
LABELS = "GT-final_test.csv"
FILES = re.compile(
    r"(?:^|/)(?:(?:Final_Training/Images|Training)/([0-9]{5})/([0-9]{5})_([0-9]{5})\.ppm"
    r"|Final_Test/Images/([0-9]{5})\.ppm|(GT-final_test\.csv))$"
)
SIDE = 32
HEADER = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*([0-9]{1,4})\s+([0-9]{1,4})\s+255\s")
LIMIT_BYTES = 4 << 20  # pictures have 15 to 250 pixels a side
Row = tuple[int, ...]
"""Class, track and frame, or number of the test picture."""


def read(paths: Sequence[Path], _: Expected) -> Parts:
    """X uint8 (N, 32, 32, 3) in RGB, y, and in train one number for each track as `track`.

    Bilinear as Pillow does it, which averages over what a pixel covers when it shrinks.
    """
    train: dict[Row, Array] = {}
    test: dict[Row, Array] = {}
    labels: dict[Row, int] = {}
    for found in find(paths, FILES, LIMIT_BYTES):
        if found.key[4]:
            labels = _labels(found)
        elif found.key[3]:
            test[(int(found.key[3]),)] = _picture(found)
        else:
            row = _row(found)
            train[row] = _picture(found)
    require(paths, [LABELS], [LABELS] if labels else [])
    if unknown := sorted(test.keys() - labels.keys()):
        raise UsageError(f"{LABELS} has no {unknown[0][0]:05d}.ppm; pass the published archives")
    rows = np.array(sorted(train), np.int64).reshape(-1, 3)
    tracks = np.unique(rows[:, :2], axis=0, return_inverse=True)[1].reshape(-1)
    ids = np.array([labels[row] for row in sorted(test)], np.uint8)
    return {
        "train": {**_part(train, rows[:, 0].astype(np.uint8)), "track": tracks.astype(np.int32)},
        "test": _part(test, ids),
    }


def _part(pictures: dict[Row, Array], y: Array) -> Arrays:
    x = np.array([pictures[row] for row in sorted(pictures)], np.uint8)
    return {"X": x, "y": y, "classes": np.array(CLASSES)}


def _row(found: Found) -> Row:
    row = tuple(map(int, found.key[:3]))
    if row[0] >= len(CLASSES):
        raise UsageError(f"{found.place}: class {row[0]}, expected 0 to {len(CLASSES) - 1}")
    return row


def _picture(found: Found) -> Array:
    """uint8 (32, 32, 3), or UsageError."""
    with needed("data"):
        from PIL import Image
    header = HEADER.match(found.content)
    width, height = map(int, header.groups()) if header else (0, 0)
    pixels = np.frombuffer(found.content, np.uint8, offset=header.end() if header else 0)
    if not width or not height or pixels.size != height * width * 3:
        raise UsageError(
            f"{found.place}: no whole picture (PPM, P6) of 8-bit RGB; download it again"
        )
    picture = Image.fromarray(pixels.reshape(height, width, 3))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.uint8)


def _labels(found: Found) -> dict[Row, int]:
    """Class of each test picture; lines are NAME;...;CLASS."""
    labels: dict[Row, int] = {}
    for line in found.content.decode("latin-1").split()[1:]:
        match = re.fullmatch(r"([0-9]{5})\.ppm;(?:[0-9]+;){6}([0-9]{1,5})", line)
        if not match or int(match[2]) >= len(CLASSES):
            raise UsageError(
                f"{found.place}: {line[:60]!r}, expected NAME.ppm;...;CLASS with classes "
                f"0 to {len(CLASSES) - 1}"
            )
        labels[(int(match[1]),)] = int(match[2])
    return labels


GTSRB = DataSet(
    "gtsrb", "gtsrb", "GTSRB", "https://benchmark.ini.rub.de/gtsrb_dataset.html",
    "GTSRB_Final_Training_Images.zip, GTSRB_Final_Test_Images.zip and GTSRB_Final_Test_GT.zip",
    Expected(TRAIN, TEST, {
        "GTSRB_Final_Training_Images.zip": "md5:f33fd80ac59bff73c82d25ab499e03a3",
        "GTSRB-Training_fixed.zip": "md5:513f3c79a4c5141765e10e952eaa2478",
        "GTSRB_Final_Test_Images.zip": "md5:c7e4e6327067d32654124b0fe9e82185",
        "GTSRB_Final_Test_GT.zip": "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5",
    }, other_train=26640),  # GTSRB-Training_fixed.zip, of the competition
    read,
)  # fmt: skip
