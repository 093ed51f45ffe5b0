# SPDX-License-Identifier: Apache-2.0
"""What a published data set is, and that what was read is all of it."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from microai.datasets.archive import Found, digest
from microai.errors import Tell, UsageError
from microai.types import Arrays

PARTS = ("train", "test")
Parts = dict[str, Arrays]
"""Arrays of each part: X (N, ...) channels last, y (N,) from 0, `classes`, perhaps a group."""

GROUPS = ("subject", "speaker", "track")
"""Whoever or whatever a sample is of."""


@dataclass(frozen=True)
class Expected:
    """What is published: samples of each class, checksums ("sha256:...") by file name.

    `other_train` is the size of another training part, of which no more is known.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    checksums: Mapping[str, str] = field(default_factory=dict)
    other_train: int | None = None


@dataclass(frozen=True)
class DataSet:
    """A published set; its files are STEM_train.npz and STEM_test.npz."""

    kind: str
    stem: str
    title: str
    address: str
    archives: str
    expected: Expected
    read: Callable[[Sequence[Path], Expected], Parts]

    @property
    def published(self) -> str:
        """Where it is and how it becomes files."""
        return (
            f"{self.title} is published at {self.address}; `microai data {self.kind} ARCHIVE -o "
            f"FOLDER` makes {self.stem}_train.npz and {self.stem}_test.npz of {self.archives}"
        )


def convert(dataset: DataSet, paths: Sequence[Path], tell: Tell, *, partial: bool = False) -> Parts:
    """Both parts, or UsageError; `partial` takes fewer samples than are published, and says so."""
    if not paths:
        raise UsageError(f"no archive given; {dataset.published}")
    if gone := [path for path in paths if not path.exists()]:
        raise UsageError(f"{gone[0]}: no such file or folder; {dataset.published}")
    for path in paths:
        if path.is_file() and path.name in dataset.expected.checksums:
            algorithm, _, known = dataset.expected.checksums[path.name].partition(":")
            _compare(str(path), algorithm, digest(path, algorithm), known)
    parts = dataset.read(paths, dataset.expected)
    for part in PARTS:
        _check_counts(dataset, part, parts[part], tell if partial else None)
    return parts


def check_content(found: Found, expected: Expected) -> None:
    """UsageError where the published file of this name is another."""
    if known := expected.checksums.get(found.file):
        algorithm, _, digits = known.partition(":")
        own = hashlib.new(algorithm, found.content).hexdigest()
        _compare(found.place, algorithm, own, digits)


def _compare(place: str, algorithm: str, own: str, known: str) -> None:
    if own != known:
        raise UsageError(
            f"{place}: differs from the published file: its {algorithm} is {own}, expected "
            f"{known}; download it again"
        )


def require(archives: Sequence[Path], wanted: Sequence[str], there: Collection[str]) -> None:
    """UsageError with the first file that is wanted and not there."""
    if missing := [name for name in wanted if name not in there]:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        names = ", ".join(map(str, archives))
        raise UsageError(f"{names}: no {missing[0]}{more}; pass all that is published")


def _check_counts(dataset: DataSet, part: str, arrays: Arrays, tell: Tell | None) -> None:
    """As published; fewer samples are told of where there is somebody to tell."""
    full = {"train": dataset.expected.train, "test": dataset.expected.test}[part]
    own = np.bincount(arrays["y"], minlength=len(full)).tolist()
    if tuple(own) == full or (part == "train" and sum(own) == dataset.expected.other_train):
        return
    counts = list(zip(arrays["classes"], own, full, strict=True))
    wrong = [f"{name} {there} of {most}" for name, there, most in counts if there != most]
    more = f" and {len(wrong) - 3} more classes" if wrong[3:] else ""
    place = (
        f"{dataset.title}, {part}: {sum(own)} of {sum(full)} samples ({', '.join(wrong[:3])}{more})"
    )
    if not sum(own) or not tell or any(there > most for _, there, most in counts):
        raise UsageError(
            f"{place}; pass what is published at {dataset.address}"
            + ("" if tell else ", or --partial to take what is there")
        )
    tell(f"PARTIAL: {place}")


def contents(arrays: Arrays) -> dict[str, object]:
    """What one part holds, in figures."""
    groups = [arrays[name] for name in GROUPS if name in arrays]
    counts = np.bincount(arrays["y"], minlength=len(arrays["classes"])).tolist()
    return {
        "dtype": str(arrays["X"].dtype),
        "shape": list(arrays["X"].shape),
        "samples_per_class": dict(zip(arrays["classes"].tolist(), counts, strict=True)),
        "groups": len(np.unique(groups[0])) if groups else None,
    }
