# SPDX-License-Identifier: Apache-2.0
"""CMSIS-NN for tests: the contract that its documentation states, as a library of the host, and the
real one where CMSIS_NN_PATH names it.
"""

import atexit
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

from microai.backend import Library, Request
from microai.device import host
from microai.device.build import CORTEX_M4F, build_host
from microai.device.cmsis_nn import (
    ARCHIVE,
    HEADER,
    answer,
    greet,
    installed,
    locate,
    rounding_fault,
    sources,
)

CONTRACT = Path(__file__).parent / "cmsis_nn"
UNTESTED = "cmsis_nn: NOT TESTED against the real library, give CMSIS_NN_PATH"
REAL = os.environ.get("CMSIS_NN_PATH")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
until_the_end = ExitStack()
atexit.register(until_the_end.close)


def built(folder: Path, compiler: str, flags: Sequence[str]) -> Path:
    """The contract built and laid out as a user's library is."""
    (folder / "lib").mkdir(parents=True)
    (folder / "include").mkdir()
    (folder / "include" / HEADER).write_bytes((CONTRACT / HEADER).read_bytes())
    prefix = compiler.removesuffix("gcc")
    objects = []
    for file in sorted(CONTRACT.glob("*.c")):
        objects.append(folder / f"{file.stem}.o")
        command = [compiler, "-std=c99", *flags, "-c", str(file), "-o", str(objects[-1])]
        subprocess.run(command, check=True)
    subprocess.run([f"{prefix}ar", "rcs", folder / "lib" / ARCHIVE, *objects], check=True)
    return folder


def for_target(folder: Path, *flags: str, core: Sequence[str] = CORTEX_M4F) -> Path:
    """The contract built for a target: the probe's refusals are tried on it, nothing else."""
    return built(folder, "arm-none-eabi-gcc", ("-Os", *core, *flags))


@cache
def contract() -> Library:
    """The contract as a library of this machine, with its size functions."""
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    library = locate(built(folder / "library", "gcc", SANITIZED))
    program = build_host(sources(), folder / "probe", libraries=[library])

    def scratch(requests: Sequence[Request]) -> list[int]:
        with host.connect(program) as link:
            greet(link)
            return [answer(link, request) for request in requests]

    with host.connect(program) as link:
        greet(link)
        assert not rounding_fault(link)
    return replace(library, scratch=scratch)


@cache
def real() -> Library:
    """The installed library, probed in QEMU."""
    assert REAL, UNTESTED
    return installed(Path(REAL), "qemu-system-arm", print)
