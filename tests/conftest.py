# SPDX-License-Identifier: Apache-2.0
"""QEMU 7.2 or whatever is installed, and QEMU 10 where `make qemu10` has put it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
QEMU10 = CACHE / "microai" / "qemu10" / "qemu-system-arm"
PROGRAMS = {"installed": "qemu-system-arm", "qemu10": str(QEMU10)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for `qemu` run on every version there is; test_qemu.py tells what is not."""
    if "qemu" in metafunc.fixturenames:
        there = [name for name in PROGRAMS if name != "qemu10" or QEMU10.exists()]
        metafunc.parametrize("qemu", there, indirect=True)


@pytest.fixture
def qemu(request: pytest.FixtureRequest) -> str:
    """The program of one QEMU version."""
    program = PROGRAMS[request.param]
    assert shutil.which(program), f"{program} not found; run `microai doctor`"
    return program


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, for them and the commands that they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "microai"


def pytest_report_header() -> str:
    """Which emulators the run is about."""
    found = [p for p in PROGRAMS.values() if shutil.which(p)]
    versions = [
        subprocess.run([p, "--version"], capture_output=True, text=True, check=True).stdout
        for p in found
    ]
    return "emulators: " + ("; ".join(v.splitlines()[0] for v in versions) or "none")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` rewrites the golden files."""
    parser.addoption("--golden", action="store_true", help="rewrite tests/golden")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A good data file for the tiny network."""
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    np.savez(path, X=random.normal(size=(12, 1, 4, 4)).astype(np.float32), y=np.arange(12) % 3)
    return path
