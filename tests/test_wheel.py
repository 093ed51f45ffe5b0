# SPDX-License-Identifier: Apache-2.0
"""The package as users install it: outside the repository, the core without torch, the demo."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from microai.save import to_bytes
from tests.graphs import quantized

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """A command that must succeed; its output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, built from the sources."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def install(folder: Path, dist: Path, extras: str) -> Path:
    """A new environment with the wheel, under the tested versions; its programs' folder."""
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    wheel = next(dist.glob("*.whl"))
    run(
        folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet",
        "--constraint", ROOT / "constraints.txt", f"{wheel}{extras}", cwd=folder,
    )  # fmt: skip
    return folder / "venv" / "bin"


@pytest.mark.slow
def test_wheel_and_sdist_carry_the_data(dist: Path) -> None:
    """Every template, kernel and board, and the licence."""
    shipped = [
        p.relative_to(ROOT)
        for d in ("codegen_templates", "firmware", "boards")
        for p in (ROOT / d).rglob("*")
        if p.is_file()
    ]
    wheel = set(zipfile.ZipFile(next(dist.glob("*.whl"))).namelist())
    assert {f"microai/_shipped/{p}" for p in shipped} <= wheel
    assert any(name.endswith("LICENSE") for name in wheel)
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {str(p) for p in shipped} <= sdist
    assert {"LICENSE", "README.md", "setup.sh", "tests/test_ops.py"} <= sdist


@pytest.mark.slow
@pytest.mark.qemu
def test_the_core_alone(dist: Path, tmp_path: Path) -> None:
    """Imports and works without torch; an integer network deploys."""
    programs = install(tmp_path, dist, "")
    microai = programs / "microai"
    (tmp_path / "net.mai").write_bytes(to_bytes(quantized("shared")))
    run(programs / "python", "-c", "import microai.cli, sys; assert 'torch' not in sys.modules",
        cwd=tmp_path)  # fmt: skip
    for command in (["boards"], ["ops"], ["version"], ["check", "net.mai", "--board", "stm32l4"]):
        assert run(microai, *command, cwd=tmp_path)
    doctor = subprocess.run([microai, "doctor", "--json"], capture_output=True, text=True,
                            check=False)  # fmt: skip
    tools = {tool["name"]: tool for tool in json.loads(doctor.stdout)["tools"]}
    assert tools["arm-none-eabi-gcc"]["ok"]
    assert "pip install 'microai[torch]'" in tools["torch"]["remark"]
    report = json.loads(run(microai, "deploy", "net.mai", "--emulate", "--json", cwd=tmp_path))
    assert report["bit_exact"]


@pytest.mark.slow
@pytest.mark.qemu
def test_the_demo_from_the_wheel(dist: Path, tmp_path: Path) -> None:
    """microai[demo] in an empty environment deploys the digits."""
    programs = install(tmp_path, dist, "[demo]")
    command = (programs / "microai", "deploy", "--emulate", "--json")
    report = json.loads(run(*command, cwd=tmp_path))
    assert (report["samples"], report["mismatches"]) == (360, 0)
    assert (tmp_path / "build" / "firmware.elf").exists()
