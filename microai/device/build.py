# SPDX-License-Identifier: Apache-2.0
"""Compile and link: generated Sources and firmware/ to an ELF, for a board or for this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from microai.backend import Library
from microai.board import Board
from microai.errors import DeviceError, DoesNotFitError
from microai.paths import data_dir
from microai.render import Sources, render_link

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
CORTEX_M4F = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
ARM = (*CORTEX_M4F, "-O3", "-g", "-ffunction-sections", "-fdata-sections")
RELEASE = ("-DNDEBUG",)
ARM_LINK = (*CORTEX_M4F, "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs",
            "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments")  # fmt: skip
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
HARNESS = ("frame.c", "main.c")
MISSING = re.compile(r"(?:undefined reference to|implicit declaration of function) [`'](\w+)'")

TOOLS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-readelf": "binutils-arm-none-eabi",
    "gcc": "gcc libc6-dev",
    "clang": "clang",
    "qemu-system-arm": "qemu-system-arm",
}
"""Each tool, and the Debian packages that bring it."""


@dataclass(frozen=True)
class Firmware:
    """An image and its sections' sizes: flash is all that is loaded, code what is executed."""

    elf: Path
    flash_bytes: int
    code_bytes: int
    ram_bytes: int


class RegionOverflowError(DoesNotFitError):
    """The linker ran out of a region; `over` is by how many bytes."""

    def __init__(self, region: str, over: int) -> None:
        super().__init__(f"{region} overflows by {over} bytes")
        self.region = region
        self.over = over


class MissingError(DeviceError):
    """Functions that no header declares, or no archive holds."""

    def __init__(self, names: Sequence[str], where: str) -> None:
        self.names = sorted(set(names))
        super().__init__(f"{where}: no {', '.join(self.names)}")


def find_tool(name: str) -> str:
    """The tool's path, or DeviceError with how to install it."""
    if path := shutil.which(name):
        return path
    packages = TOOLS.get(Path(name).name)
    advice = f": apt-get install --no-install-recommends {packages}" if packages else ""
    raise DeviceError(f"{name} not found; install it{advice}")


def build(
    sources: Sources, board: Board, folder: Path, libraries: Sequence[Library] = (),
    *, debug: bool = False,
) -> Firmware:  # fmt: skip
    """Compile for the board into `folder`; RegionOverflowError when the image is too large.

    `debug` keeps the assertions of generated C.
    """
    if board.port is None:
        raise DeviceError(
            f"{board.name}: this version has no firmware port for {board.chip}; add --emulate"
        )
    harness = [*_firmware(*HARNESS, "startup.c"), _firmware(f"ports/{board.port}.c")[0]]
    written = write_sources({**sources, **render_link(board)}, folder)
    flags = (*STRICT, *ARM, *(() if debug else RELEASE), *_headers(libraries))
    objects = compile_all("arm-none-eabi-gcc", flags, [*written, *harness], folder)
    elf = folder / "firmware.elf"
    script = ("-T", str(folder / "link.ld"))
    linked = (*objects, *_archives(libraries), "-lm", "-o", str(elf))
    _run([find_tool("arm-none-eabi-gcc"), *ARM_LINK, *script, *linked])
    return _measure(elf, board)


def build_host(
    sources: Sources, folder: Path, compiler: str = "gcc", libraries: Sequence[Library] = ()
) -> Path:
    """The same sources as a process on this machine, with sanitizers and assertions."""
    harness = _firmware(*HARNESS, "ports/host.c")
    written = write_sources(sources, folder)
    flags = (*STRICT, *SANITIZED, *_headers(libraries))
    objects = compile_all(compiler, flags, [*written, *harness], folder)
    program = folder / "host"
    linked = (*objects, *_archives(libraries), "-lm", "-o", str(program))
    _run([find_tool(compiler), *SANITIZED, *linked])
    return program


def _headers(libraries: Sequence[Library]) -> list[str]:
    """Others' headers are not held to our warnings."""
    return [flag for library in libraries for flag in ("-isystem", str(library.include))]


def _archives(libraries: Sequence[Library]) -> list[str]:
    return [str(library.archive) for library in libraries]


def write_sources(sources: Sources, folder: Path) -> list[Path]:
    """Put the files into `folder`; the C files come back."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in sources if name.endswith(".c")]


def compile_all(
    compiler: str, flags: Sequence[str], files: Sequence[Path], folder: Path
) -> list[str]:
    """Object files of C files, compiled in parallel."""
    tool = find_tool(compiler)
    include = ["-I", str(folder), "-I", str(data_dir("firmware"))]

    def one(file: Path) -> str:
        target = str(compiled_object(folder, file.stem, file.parent.name))
        _run([tool, *flags, *include, "-c", str(file), "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, files))


def compiled_object(folder: Path, stem: str, parent: str | None = None) -> Path:
    """Where a C file's object is: of a folder's own file, or of one that lies in `parent`, since a
    model may be named as a port.
    """
    return folder / f"{parent or folder.name}-{stem}.o"


def _firmware(*names: str) -> list[Path]:
    return [data_dir("firmware") / name for name in names]


def told(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A tool's run, with what it said in English: its words are looked for."""
    english = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=english)


def _run(command: Sequence[str]) -> None:
    """Run a tool; its first error lines are the DeviceError's text."""
    done = told(command)
    if done.returncode == 0:
        return
    if overflow := re.search(r"region `(\w+)' overflowed by (\d+) bytes", done.stderr):
        raise RegionOverflowError(overflow[1].lower(), int(overflow[2]))
    if missing := MISSING.findall(done.stderr):
        raise MissingError(missing, f"{Path(command[0]).name} failed")
    lines = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
    raise DeviceError(f"{Path(command[0]).name} failed: {' | '.join(lines[:3])[:600]}")


def _measure(elf: Path, board: Board) -> Firmware:
    """Sizes from the ELF's sections."""
    ram = board.memory.ram
    with elf.open("rb") as file:
        sections = [s for s in ELFFile(file).iter_sections() if s["sh_flags"] & SH_FLAGS.SHF_ALLOC]
        loaded = [s for s in sections if s["sh_type"] == "SHT_PROGBITS"]
        code = [s for s in loaded if s["sh_flags"] & SH_FLAGS.SHF_EXECINSTR]
        in_ram = [s for s in sections if 0 <= s["sh_addr"] - ram.origin < ram.bytes]
        return Firmware(
            elf,
            flash_bytes=sum(s["sh_size"] for s in loaded),
            code_bytes=sum(s["sh_size"] for s in code),
            ram_bytes=sum(s["sh_size"] for s in in_ram),
        )
