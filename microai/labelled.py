# SPDX-License-Identifier: Apache-2.0
"""A labelled set from an .npz: checked, in physical units, and split where a part is held out."""

import glob
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from microai.datasets import published
from microai.errors import UsageError
from microai.files import array_shapes, load_arrays
from microai.types import Array, Arrays, Bools


@dataclass(frozen=True)
class LabelledSet:
    """x (N, ..., C) float32 in physical units, y (N,) from 0, and groups (N,): of whom each is.

    `classes` are as many as the file names, or as its labels need.
    """

    x: Array
    y: Array
    groups: Array | None
    classes: int
    name: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of samples, labels and the number of classes."""
        told = f"{self.x.shape} {self.y.dtype} {self.classes} ".encode()
        return sha256(told + self.x.tobytes() + self.y.tobytes()).hexdigest()

    def part(self, chosen: Bools | Array) -> "LabelledSet":
        """Some of its samples, by mask or index."""
        groups = None if self.groups is None else self.groups[chosen]
        return LabelledSet(self.x[chosen], self.y[chosen], groups, self.classes, self.name)


def read_set(path: Path, group: str | None = None) -> LabelledSet:
    """X (N, ..., C), y (N,), `classes` and `scale` where they are there, and the named groups.

    The name may hold one *, where one file is meant. UsageError with what is wrong with them.
    """
    path = find_set(path)
    arrays = load_arrays(path)
    if missing := {"X", "y", *([group] if group else [])} - arrays.keys():
        raise UsageError(f"{path}: no array {min(missing)!r}; it has {', '.join(arrays)}")
    scale = _checked_scale(path, arrays)
    classes = _checked_classes(path, arrays)
    groups = arrays[group] if group else None
    if groups is not None and groups.shape != arrays["y"].shape:
        raise UsageError(f"{path}: {group} is {groups.shape}, expected one for each of y")
    x = (arrays["X"] * scale).astype(np.float32)
    return LabelledSet(x, arrays["y"], groups, classes, path.name)


def find_set(path: Path) -> Path:
    """The one file that is meant; UsageError with where it is published."""
    found = sorted(path.parent.glob(glob.escape(path.name).replace("[*]", "*")))
    if len(found) > 1:
        raise UsageError(f"{path} is {' and '.join(each.name for each in found)}; name one of them")
    if not found:
        origin = published(path.name)
        raise UsageError(
            f"{path}: no such file; --data-dir or MICROAI_DATA names its folder"
            + (f". {origin}" if origin else "")
        )
    return found[0]


def check_alike(path: Path, train: LabelledSet) -> None:
    """UsageError where a set's samples have another shape than those to train on, or no labels; of
    the set itself nothing is read but the heads of its arrays.
    """
    shapes = array_shapes(path)
    if missing := {"X", "y"} - shapes.keys():
        raise UsageError(f"{path}: no array {min(missing)!r}; it has {', '.join(shapes)}")
    if shapes["X"][1:] != train.x.shape[1:] or shapes["y"] != shapes["X"][:1]:
        raise UsageError(
            f"{path}: X is {shapes['X']}, y is {shapes['y']}, expected (N, "
            f"{', '.join(map(str, train.x.shape[1:]))}) and (N,), as in {train.name}"
        )


def split(data: LabelledSet, share: float, seed: int = 0) -> tuple[LabelledSet, LabelledSet]:
    """What to train on, and a held-out part of about `share`: whole groups in random order, or as
    many of each class.
    """
    random = np.random.default_rng(seed)
    groups = data.groups
    held = _groups(groups, share, random) if groups is not None else _strata(data, share, random)
    if held.all() or not held.any():
        raise UsageError(
            f"{len(data.y)} samples are too few, or of too few, to hold out a share of {share:g}"
        )
    return data.part(~held), data.part(held)


def _groups(groups: Array, share: float, random: np.random.Generator) -> Bools:
    """Groups one after the other while they do not pass the share; one at least."""
    names, counts = np.unique(groups, return_counts=True)
    order = random.permutation(len(names))
    within = np.cumsum(counts[order]) <= share * len(groups)
    within[0] = True
    return np.isin(groups, names[order[within]])


def _strata(data: LabelledSet, share: float, random: np.random.Generator) -> Bools:
    """The share of each class, rounded."""
    held = np.zeros(len(data.y), bool)
    for label in np.unique(data.y):
        of_class = random.permutation(np.flatnonzero(data.y == label))
        held[of_class[: round(share * len(of_class))]] = True
    return held


def _checked_scale(path: Path, arrays: Arrays) -> Array:
    x, y, scale = arrays["X"], arrays["y"], arrays.get("scale", np.ones(1, np.float32))
    shapes = x.ndim in (2, 3, 4) and y.shape == x.shape[:1] and scale.shape in ((1,), x.shape[-1:])
    if not shapes or not x.size or {x.dtype.kind, scale.dtype.kind} - set("fiu"):
        raise UsageError(
            f"{path}: X is {x.dtype} {x.shape}, y is {y.shape}, scale is {scale.shape}, "
            "expected numbers (N, ..., C) of 2 to 4 axes, (N,) and, where it is there, (C,)"
        )
    return scale


def _checked_classes(path: Path, arrays: Arrays) -> int:
    y, names = arrays["y"], arrays.get("classes")
    many = max(len(y), 2 if names is None else len(names))
    if y.dtype.kind not in "iu" or not 0 <= y.min() <= y.max() < many:
        raise UsageError(
            f"{path}: y is {y.dtype} from {y.min()} to {y.max()}, expected classes from 0 up"
        )
    if names is not None and y.max() >= len(names):
        raise UsageError(
            f"{path}: y goes up to {y.max()}, `classes` names {len(names)}: 0..{len(names) - 1}"
        )
    return int(y.max()) + 1 if names is None else len(names)
