# SPDX-License-Identifier: Apache-2.0
"""Files of an archive, read one after another: zip, tar however compressed, or the unpacked folder.

Nothing is unpacked to disk, so no name in an archive can lead anywhere.
"""

import hashlib
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from microai.errors import UsageError

INNER_BYTES = 256 << 20  # of a zip in a zip, as the UCI repository makes them
Entry = tuple[str, int, Callable[[], bytes]]
"""A file's name with forward slashes, its size in bytes, its content."""


@dataclass(frozen=True)
class Found:
    """A file whose name was asked for; `key` are the groups of the pattern."""

    archive: Path
    name: str
    key: tuple[str, ...]
    content: bytes

    @property
    def place(self) -> str:
        """What an error begins with."""
        return f"{self.archive}: {self.name}"

    @property
    def file(self) -> str:
        """The name without folders."""
        return self.name.rpartition("/")[2]


def find(paths: Sequence[Path], pattern: re.Pattern[str], limit_bytes: int) -> Iterator[Found]:
    """Files whose names the pattern matches, each key once; UsageError for what cannot be read."""
    seen: dict[tuple[str, ...], str] = {}
    for path in paths:
        with _readable(path):
            for name, size, read in _entries(path):
                if not (match := pattern.search(name)):
                    continue
                found = Found(
                    path, name, match.groups(), _content(path, name, size, read, limit_bytes)
                )
                if found.key in seen:
                    raise UsageError(
                        f"{found.place} is also {seen[found.key]}; pass each file once"
                    )
                seen[found.key] = found.place
                yield found


def digest(path: Path, algorithm: str) -> str:
    """A file's checksum, in hexadecimal digits."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _content(path: Path, name: str, size: int, read: Callable[[], bytes], limit: int) -> bytes:
    if size > limit:
        raise UsageError(
            f"{path}: {name} has {size} bytes, expected at most {limit}; pass the published archive"
        )
    return read()


def _entries(path: Path) -> Iterator[Entry]:
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    return _zip(path, path) if zipped else _tar(path)


def _folder(path: Path) -> Iterator[Entry]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes


def _tar(path: Path) -> Iterator[Entry]:
    """Links and devices are left out."""
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile() and (file := archive.extractfile(info)):
                yield info.name, info.size, file.read


def _zip(path: Path, source: Path | IO[bytes], folder: str = "") -> Iterator[Entry]:
    """Its files, and those of zips in it."""
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            name, read = folder + info.filename, _read_from(archive, info, path)
            if not folder and name.endswith(".zip"):
                inner = _content(path, name, info.file_size, read, INNER_BYTES)
                yield from _zip(path, BytesIO(inner), f"{name}/")
            elif not name.endswith("/"):
                yield name, info.file_size, read


def _read_from(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.flag_bits & 1:
            raise UsageError(f"{path}: {info.filename} is encrypted; pass the unpacked folder")
        return archive.read(info)

    return read


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a damaged archive makes the readers raise, as a UsageError."""
    try:
        yield
    except tarfile.ReadError as error:
        if "could not be opened" in str(error):
            raise UsageError(
                f"{path}: no zip or tar archive, or its beginning is damaged; download it again"
            ) from None
        raise _damaged(path, error) from None
    except (
        OSError, EOFError, ValueError, RuntimeError, OverflowError, struct.error,
        zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
    ) as error:  # fmt: skip
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> UsageError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UsageError(f"{path}: damaged or truncated: {reason}; download it again")
