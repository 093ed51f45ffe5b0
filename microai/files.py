# SPDX-License-Identifier: Apache-2.0
"""Arrays from files, and files written whole or not at all."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from microai.errors import UsageError
from microai.types import Array, Arrays

HEADS = {(1, 0): np.lib.format.read_array_header_1_0}


def load_arrays(path: Path) -> Arrays:
    """All arrays of an .npz, or the one of an .npy as X; no pickles, no NaN."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in (b"\x93NUM", b"PK\3\4"):
                raise UsageError(f"{path}: not an .npy or .npz file")
        arrays = _loaded(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: it is a folder, expected an .npy or .npz file") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "Object arrays" in str(error):
            raise UsageError(f"{path}: holds pickled objects; save plain arrays") from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path}: damaged: {reason}") from None
    for name, array in arrays.items():
        _check_numbers(path, name, array)
    return arrays


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Of an .npz's arrays, from their heads alone."""
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as entry:
                    version = np.lib.format.read_magic(entry)
                    read = HEADS.get(version, np.lib.format.read_array_header_2_0)
                    shapes[name.removesuffix(".npy")] = read(entry)[0]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path}: damaged: {error}") from None
    return shapes


def _loaded(path: Path) -> Arrays:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {"X": loaded}
    with loaded:
        return dict(loaded)


def _check_numbers(path: Path, name: str, array: Array) -> None:
    if array.dtype.kind not in "fiub":
        return  # class names and the like; whoever needs numbers from it says so
    if bad := array.size - int(np.isfinite(array).sum()):
        raise UsageError(f"{path}: {name} has {bad} NaN or infinite values; clean the data first")


def check_writable(path: Path) -> None:
    """Raise UsageError now where `write_file` would later."""
    if path.is_dir():
        raise UsageError(f"{path}: cannot write: it is a folder")
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UsageError(f"{path}: cannot write: {existing} is not a writable folder")


def write_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file whole or not at all; UsageError where that is not allowed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write several files into a folder, each whole or not at all."""
    for name, content in files.items():
        write_file(folder / name, partial(_put, content))


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz whose names may be any text (np.savez takes them as keyword arguments)."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array))

    write_file(path, write)


def _put(content: bytes, file: IO[bytes]) -> None:
    file.write(content)
