# SPDX-License-Identifier: Apache-2.0
"""The user's CMSIS-NN: found, and asked by a small image whether our kernels can build on it.

The image is firmware/probes/cmsis_nn.c; it also says how much scratch a layer needs.
"""

import hashlib
import re
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from microai.backend import Library, Request
from microai.backends.cmsis_nn import ROUNDS_BY
from microai.board import Board, load_board
from microai.device import qemu
from microai.device.build import MissingError, build, find_tool, told
from microai.device.protocol import Link
from microai.errors import DeviceError, Tell
from microai.fixedpoint import Scaling, requantize
from microai.paths import data_dir
from microai.render import Sources
from microai.types import Quant

HEADER, ARCHIVE, CHECK = "arm_nnfunctions.h", "libcmsis-nn.a", "mai_cmsis_nn_rounds_once"
INCLUDES = ("Include", "include", "include/cmsis-nn", ".")
ARCHIVES = ("lib", "build", "build/Source", ".")
OLDEST = "7.0.0"
NEEDS = f"CMSIS-NN {OLDEST} or newer, built with CMSIS_NN_USE_SINGLE_ROUNDING"
FUNCTIONS = (
    "conv_s4", "conv_s8", "conv_s16",
    "depthwise_conv_s4", "depthwise_conv_s8", "depthwise_conv_s16",
    "dense_s8", "avg_pool_s8", "avg_pool_s16",
    "round_conv_s4", "round_conv_s8", "round_conv_s16", "round_depthwise_conv_s4",
    "round_depthwise_conv_s8", "round_dense_s8", "round_mul_s8", "speed",
)  # fmt: skip
SUMS = (0, 1, -1, 2, -2, 3, -3, 5, -5, 6, -6, 7, 100, -100, 1 << 20, -(1 << 20) - 1)
MULTIPLIERS = ((1 << 30, 32), (3 << 29, 33), (1518500250, 34), (1 << 30, 40), (12345, 20))
SPEED_MACS, MOST_PER_MAC = 16 * 16 * 16, 8
WANTED = {
    "Tag_CPU_arch": "v7E-M", "Tag_FP_arch": "VFPv4-D16", "Tag_ABI_VFP_args": "VFP registers",
}  # fmt: skip
"""ELF attributes of code for a Cortex-M4F (Addenda to the ABI for the Arm architecture)."""
FLAGS = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -DCMSIS_NN_USE_SINGLE_ROUNDING"


def installed(prefix: Path | None, program: str, tell: Tell) -> Library:
    """The library under `prefix` (headers, and the archive for the target), checked, with its
    size functions; or DeviceError.
    """
    library = locate(prefix)
    check_core(library.archive)
    image = _image(library)
    with _running(image, program) as link:
        fault = rounding_fault(link)
        ticks, nothing = _run(link, ("speed", ())), link.nothing()
    if fault:
        raise DeviceError(f"{library.archive} {fault}")
    each = qemu.instructions(ticks, nothing, _board()) / SPEED_MACS
    if each > MOST_PER_MAC:
        tell(
            f"{library.archive} takes {each:.0f} instructions a multiply-accumulate: "
            "was it built without optimization?"
        )

    def scratch(requests: Sequence[Request]) -> list[int]:
        with _running(image, program) as link:
            return [answer(link, request) for request in requests]

    return replace(library, scratch=scratch)


def _board() -> Board:
    """Where the image runs."""
    return load_board("mps2-an386")


def _image(library: Library) -> bytes:
    """The probe, linked with the library; DeviceError where they do not go together."""
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        try:
            return build(sources(), _board(), Path(work), [library]).elf.read_bytes()
        except MissingError as error:
            raise too_old(library, error) from None
        except DeviceError as error:
            raise DeviceError(f"{library.include} does not fit this microai: {error}") from None


@contextmanager
def _running(image: bytes, program: str) -> Iterator[Link]:
    with tempfile.TemporaryDirectory(prefix="microai-") as work:
        elf = Path(work) / "probe.elf"
        elf.write_bytes(image)
        with qemu.connect(elf, _board(), program) as link:
            greet(link)
            yield link


def locate(prefix: Path | None) -> Library:
    """The files under `prefix`, not looked into; DeviceError where there are none."""
    if prefix is None:
        raise DeviceError(
            "the backend cmsis_nn needs CMSIS-NN: pass --cmsis-nn FOLDER or set CMSIS_NN_PATH, "
            f"a folder with its headers and a {ARCHIVE} built for the target; see README.md"
        )
    if not prefix.expanduser().is_dir():
        raise DeviceError(f"{prefix} is no folder; --cmsis-nn names the one that holds CMSIS-NN")
    include = _first(prefix.expanduser(), INCLUDES, HEADER)
    archive = _first(prefix.expanduser(), ARCHIVES, ARCHIVE)
    try:
        text = (include / HEADER).read_text(encoding="utf-8", errors="replace")
        digest = hashlib.sha256((archive / ARCHIVE).read_bytes()).hexdigest()
    except OSError as error:
        raise DeviceError(f"{error.filename}: {error.strerror}") from None
    found = re.search(r"\$Revision:\s*V\.([\d.]+)", text)
    revision = f"revision {found[1]}" if found else "unnumbered"
    description = f"CMSIS-NN, {HEADER} {revision}, archive {digest[:12]}"
    return Library(HEADER, NEEDS, CHECK, include, archive / ARCHIVE, description, _unasked)


def _first(prefix: Path, folders: tuple[str, ...], file: str) -> Path:
    for folder in folders:
        if (prefix / folder / file).is_file():
            return prefix / folder
    places = ", ".join(str(Path(folder) / file) for folder in folders)
    raise DeviceError(f"{prefix} holds no {file}; looked for {places}")


def _unasked(requests: Sequence[Request]) -> list[int]:
    raise AssertionError(f"{requests} asked of a library that was not probed")


def check_core(archive: Path) -> None:
    """Raise DeviceError unless every member is code for a Cortex-M4 with its FPU's registers."""
    done = told([find_tool("arm-none-eabi-readelf"), "--arch-specific", str(archive)])
    members = done.stdout.split("File: ")[1:]
    if done.returncode or not members:
        raise DeviceError(f"{archive} is no archive of objects; build it with {FLAGS}")
    for member, (tag, wanted) in product(members, WANTED.items()):
        found = re.search(rf"{tag}: (.*)", member)
        if not found or found[1] != wanted:
            raise DeviceError(
                f"{archive} is not for a Cortex-M4F: {_member_name(member)} has {tag} "
                f"{found[1] if found else 'none'}, expected {wanted}; build it with {FLAGS}"
            )


def _member_name(text: str) -> str:
    """`folder/archive(member)` as readelf begins a member's attributes."""
    return text.splitlines()[0].rpartition("(")[2].rstrip(")")


def sources() -> Sources:
    """The image's own C."""
    path = data_dir("firmware") / "probes" / "cmsis_nn.c"
    return {"probe.c": path.read_text(encoding="utf-8")}


def too_old(library: Library, missing: MissingError) -> DeviceError:
    """The sentence for functions that are not there."""
    return DeviceError(
        f"{library.include} and {library.archive.name} lack {', '.join(missing.names)}: "
        f"CMSIS-NN {OLDEST} or newer is needed"
    )


def greet(link: Link) -> None:
    """Make the probe ready."""
    link.hello()
    link.select(0, "cmsis_nn")


def rounding_fault(link: Link) -> str:
    """What is rounded otherwise than the contract says; empty when nothing is."""
    functions = [name for name in FUNCTIONS if name.startswith("round")]
    for function, (multiplier, shift) in product(functions, MULTIPLIERS):
        out = Quant("int16" if function.endswith("s16") else "int8", (1.0,))
        expected = requantize(np.asarray(SUMS), Scaling((multiplier,), shift), out)
        for total, y in zip(SUMS, expected.tolist(), strict=True):
            found = answer(link, (function, (total, multiplier, ROUNDS_BY - shift)))
            if found != y:
                return (
                    f"rounds otherwise, {total} * {multiplier} / 2**{shift} to {found} in "
                    f"{function.removeprefix('round_')}, expected {y}: build it with {FLAGS}"
                )
    return ""


def answer(link: Link, request: Request) -> int:
    """What the probe says."""
    _run(link, request)
    return int(struct.unpack("<i", link.read(0, 4))[0])


def _run(link: Link, request: Request) -> int:
    function, numbers = request
    words = (FUNCTIONS.index(function), *numbers)
    link.write(0, struct.pack(f"<{len(words)}i", *words))
    return link.run()
