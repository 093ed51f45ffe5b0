# SPDX-License-Identifier: Apache-2.0
"""Archives as people may have them: damaged, encrypted, too large, hostile."""

import contextlib
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from microai.datasets.archive import find
from microai.datasets.dataset import convert
from microai.errors import UsageError
from tests import archives
from tests.archives import SMALL, Files, sentence, tarred, unpacked, zip_bytes, zipped

BIN = "cifar-10-batches-bin"


def test_twice(tmp_path: Path) -> None:
    """A file that two archives hold."""
    first = zipped(archives.cifar10(), tmp_path / "a.zip")
    second = unpacked(archives.cifar10(), tmp_path / "b")
    name = f"{BIN}/batches.meta.txt"
    assert sentence("cifar10", first, second) == (
        f"{second}: {name} is also {first}: {name}; pass each file once"
    )


def test_limits(tmp_path: Path) -> None:
    """A file larger than any published one is not read."""
    path = tarred(archives.cifar10(), tmp_path / "a.tar.xz")
    with pytest.raises(UsageError) as raised:
        list(find([path], re.compile(r"(test_batch)\.bin"), 6145))
    assert str(raised.value) == (
        f"{path}: {BIN}/test_batch.bin has 6146 bytes, expected at most 6145; "
        "pass the published archive"
    )


def test_encrypted(tmp_path: Path) -> None:
    """Says to unpack it."""
    content = bytearray(zip_bytes({f"{BIN}/test_batch.bin": b"secret"}))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert sentence("cifar10", path) == (
        f"{path}: {BIN}/test_batch.bin is encrypted; pass the unpacked folder"
    )


def test_unknown_compression(tmp_path: Path) -> None:
    """Of a program that knows more methods than zipfile."""
    content = bytearray(zip_bytes({f"{BIN}/test_batch.bin": b"packed"}))
    content[8] = content[content.index(b"PK\1\2") + 10] = 99
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert sentence("cifar10", path) == (
        f"{path}: damaged or truncated: That compression method is not supported; download it again"
    )


def test_a_file_without_a_name(tmp_path: Path) -> None:
    """Is none of the set's, so nobody asks for it."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({**archives.cifar10(), "nameless": b""}).replace(b"name", b"\0ame"))
    parts = convert(SMALL["cifar10"], [path], print)
    assert [len(arrays["X"]) for arrays in parts.values()] == [10, 2]


def test_no_archive(tmp_path: Path) -> None:
    """A web page in its place."""
    path = tmp_path / "cifar-10-binary.zip"
    path.write_text("<html>404</html>")
    assert sentence("cifar10", path) == (
        f"{path}: no zip or tar archive, or its beginning is damaged; download it again"
    )


PACKED: dict[str, Callable[[Files, Path], Path]] = {
    "a.zip": zipped, "a.tar": tarred, "a.tar.gz": tarred, "a.tar.xz": tarred,
}  # fmt: skip


@pytest.mark.parametrize("packed", PACKED)
def test_truncated(packed: str, tmp_path: Path) -> None:
    """An archive cut anywhere is refused with a sentence that names it."""
    path = PACKED[packed](archives.fsdd(), tmp_path / packed)
    content = path.read_bytes()
    end = len(content.rstrip(b"\0")) if packed == "a.tar" else len(content)
    texts = []
    for share in (0.001, 0.01, 0.3, 0.7, 0.99):
        path.write_bytes(content[: int(end * share)])
        texts.append(sentence("fsdd", path))
    known = (  # a tar may end between two files
        rf"{re.escape(str(path))}: (damaged or truncated: .+|no zip or tar archive, or its "
        r"beginning is damaged); download it again|Free Spoken Digit Dataset, t.+is there"
    )
    assert all(re.fullmatch(known, text) for text in texts)
    assert any("damaged or truncated" in text for text in texts)


@pytest.mark.parametrize("packed", PACKED)
def test_changed_bytes(packed: str, tmp_path: Path) -> None:
    """Taken or refused, never a traceback, whatever bytes are wrong."""
    path = PACKED[packed](archives.fsdd(), tmp_path / packed)
    content, random = path.read_bytes(), np.random.default_rng(0)
    taken = 0
    for _ in range(60):
        changed = np.frombuffer(content, np.uint8).copy()
        where = random.integers(0, len(changed), 8)
        ends = random.integers(0, 2)  # directories are at the end of zips, headers at the beginning
        where[:4] = -1 - where[:4] % 300 if ends else where[:4] % 600
        changed[where] = random.integers(0, 256, 8)
        path.write_bytes(changed.tobytes())
        with contextlib.suppress(UsageError):
            convert(SMALL["fsdd"], [path], lambda _: None)
            taken += 1
    assert taken < 60


def test_links_in_a_tar_lead_nowhere(tmp_path: Path) -> None:
    """They are left out, so the file is missing; absolute names and .. are only names."""
    files = archives.cifar10()
    del files["cifar-10-batches-bin/test_batch.bin"]
    path = tmp_path / "a.tar"
    with tarfile.open(tarred(files, path), "a") as archive:
        info = tarfile.TarInfo("../../cifar-10-batches-bin/test_batch.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert sentence("cifar10", path) == f"{path}: no test_batch.bin; pass all that is published"
