# SPDX-License-Identifier: Apache-2.0
"""The user's CMSIS-NN: found, and asked by a small image whether our kernels can build on it.

The image is firmware/probes/cmsis_nn.c; it stays up to say how much scratch a layer needs.
"""

import hashlib
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from microai.backend import Library
from microai.board import load_board
from microai.device import qemu
from microai.device.build import MissingError, build, find_tool
from microai.device.protocol import Link
from microai.errors import DeviceError, Tell
from microai.fixedpoint import Scaling, requantize
from microai.paths import data_dir
from microai.render import Sources
from microai.types import Quant

HEADER, ARCHIVE, NAME = "arm_nnfunctions.h", "libcmsis-nn.a", "cmsis_nn"
INCLUDES = ("Include", "include", "include/cmsis-nn", ".")
ARCHIVES = ("lib", "build", "build/Source", ".")
OLDEST = "7.0.0"
FUNCTIONS = (
    "conv_s4", "conv_s8", "conv_s16",
    "depthwise_conv_s4", "depthwise_conv_s8", "depthwise_conv_s16",
    "dense_s4", "dense_s8", "dense_s16", "avg_pool_s8", "avg_pool_s16",
    "round_conv_s8", "round_conv_s16", "round_depthwise_conv_s8", "round_dense_s8", "speed",
)  # fmt: skip
SUMS = (0, 1, -1, 2, -2, 3, -3, 5, -5, 6, -6, 7, 100, -100, 1 << 20, -(1 << 20) - 1)
MULTIPLIERS = ((1 << 30, 32), (3 << 29, 33), (1518500250, 34), (1 << 30, 40), (12345, 20))
SPEED_MACS, MOST_PER_MAC = 16 * 16 * 16, 8
WANTED = {"Tag_CPU_arch": "v7E-M", "Tag_ABI_VFP_args": "VFP registers"}
"""ELF attributes of code for a Cortex-M4F (Addenda to the ABI for the Arm architecture)."""


@contextmanager
def opened(prefix: Path | None, program: str, tell: Tell) -> Iterator[Library]:
    """The library under `prefix` (headers, and the archive for the target), checked, with its
    size functions; or DeviceError.
    """
    library = locate(prefix)
    check_core(library.archive)
    board = load_board("mps2-an386")
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        try:
            firmware = build(sources(), board, Path(work), [library])
        except MissingError as error:
            raise too_old(library, error) from None
        except DeviceError as error:
            raise DeviceError(f"{library.include} does not fit this microai: {error}") from None
        with qemu.connect(firmware.elf, board, program) as link:
            checked = asked(link, library)
            each = qemu.instructions(_run(link, "speed", ()), link.nothing(), board) / SPEED_MACS
            if each > MOST_PER_MAC:
                tell(
                    f"{library.archive} takes {each:.0f} instructions a multiply-accumulate: "
                    "was it built without optimization?"
                )
            yield checked


def locate(prefix: Path | None) -> Library:
    """The files under `prefix`, not looked into; DeviceError where there are none."""
    if prefix is None:
        raise DeviceError(
            "the backend cmsis_nn needs CMSIS-NN: pass --cmsis-nn FOLDER or set CMSIS_NN_PATH, "
            f"a folder with its headers and a {ARCHIVE} built for the target; see README.md"
        )
    include = _first(prefix, INCLUDES, HEADER)
    archive = _first(prefix, ARCHIVES, ARCHIVE)
    text = (include / HEADER).read_text(encoding="utf-8", errors="replace")
    found = re.search(r"\$Revision:\s*V\.([\d.]+)", text)
    digest = hashlib.sha256((archive / ARCHIVE).read_bytes()).hexdigest()
    description = f"CMSIS-NN, header {found[1] if found else 'unnumbered'}, archive {digest[:12]}"
    return Library(HEADER, include, archive / ARCHIVE, description, _unasked)


def _first(prefix: Path, folders: tuple[str, ...], file: str) -> Path:
    for folder in folders:
        if (prefix / folder / file).is_file():
            return prefix / folder
    places = ", ".join(str(Path(folder) / file) for folder in folders)
    raise DeviceError(f"{prefix} holds no {file}; looked for {places}")


def _unasked(function: str, numbers: tuple[int, ...]) -> int:
    raise AssertionError(f"{function}{numbers} asked of a library that is not open")


def check_core(archive: Path) -> None:
    """Raise DeviceError unless every member is code for a Cortex-M4 with its FPU's registers."""
    command = [find_tool("arm-none-eabi-readelf"), "--arch-specific", str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    members = done.stdout.split("File: ")[1:]
    if done.returncode or not members:
        raise DeviceError(f"{archive} is no archive of Arm objects")
    for tag, wanted in WANTED.items():
        for member in members:
            found = re.search(rf"{tag}: (.*)", member)
            if not found or found[1] != wanted:
                raise DeviceError(
                    f"{archive} is for another core: {tag} is {found[1] if found else 'absent'}, "
                    f"expected {wanted}; build it with -mcpu=cortex-m4 -mthumb "
                    "-mfpu=fpv4-sp-d16 -mfloat-abi=hard"
                )


def sources() -> Sources:
    """The image's own C."""
    path = data_dir("firmware") / "probes" / "cmsis_nn.c"
    return {"probe.c": path.read_text(encoding="utf-8")}


def too_old(library: Library, missing: MissingError) -> DeviceError:
    """The sentence for functions that are not there."""
    return DeviceError(
        f"{library.include} and {library.archive.name} lack {', '.join(missing.names)}: "
        f"CMSIS-NN {OLDEST} or newer is needed, headers and archive of one version"
    )


def asked(link: Link, library: Library) -> Library:
    """The library with its size functions, once it rounds as the contract does."""
    link.hello()
    link.select(0, NAME)
    for function in (name for name in FUNCTIONS if name.startswith("round")):
        _check_rounding(link, library, function)
    return replace(library, scratch=partial(_scratch, link))


def _check_rounding(link: Link, library: Library, function: str) -> None:
    out = Quant("int16" if function.endswith("s16") else "int8", (1.0,))
    for multiplier, shift in MULTIPLIERS:
        expected = requantize(np.asarray(SUMS), Scaling((multiplier,), shift), out)
        for total, y in zip(SUMS, expected.tolist(), strict=True):
            found = _answer(link, function, (total, multiplier, 31 - shift))
            if found != y:
                raise DeviceError(
                    f"{library.archive} rounds {total} * {multiplier} / 2**{shift} to {found} in "
                    f"{function.removeprefix('round_')}, expected {y}: build it with "
                    "-DCMSIS_NN_USE_SINGLE_ROUNDING"
                )


def _scratch(link: Link, function: str, numbers: tuple[int, ...]) -> int:
    return _answer(link, function, numbers)


def _answer(link: Link, function: str, numbers: tuple[int, ...]) -> int:
    _run(link, function, numbers)
    return int(struct.unpack("<i", link.read(0, 4))[0])


def _run(link: Link, function: str, numbers: tuple[int, ...]) -> int:
    words = (FUNCTIONS.index(function), *numbers)
    link.write(0, struct.pack(f"<{len(words)}i", *words))
    return link.run()
