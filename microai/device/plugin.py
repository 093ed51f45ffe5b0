# SPDX-License-Identifier: Apache-2.0
"""The QEMU plugin of firmware/qemu/trace.c: compiled on first use, and its arguments."""

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from microai.board import Cache, Region
from microai.device.build import told
from microai.errors import DeviceError
from microai.paths import data_dir

SOURCES = ("trace.c", "cache.h")
COMPILERS = ("gcc", "clang", "cc")
FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
LATE = {"Darwin": ("-Wl,-undefined,dynamic_lookup",)}
"""QEMU's functions are found when it loads the plugin."""


def trace_plugin(cache: Path) -> Path:
    """The plugin in the folder `cache`, made where it is not there; DeviceError without a compiler
    for this machine.
    """
    folder = data_dir("firmware") / "qemu"
    flags = (*FLAGS, *LATE.get(platform.system(), ()))
    texts = [(folder / name).read_text(encoding="utf-8") for name in SOURCES]
    made_of = (*texts, platform.system(), platform.machine(), *flags)
    digest = hashlib.sha256("\0".join(made_of).encode()).hexdigest()
    plugin = cache / f"trace-{digest[:16]}.so"
    if not plugin.exists():
        _compile(folder / SOURCES[0], flags, plugin)
    return plugin


def _compile(source: Path, flags: Iterable[str], plugin: Path) -> None:
    """Beside its place, then renamed: another process may be about it as well."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise DeviceError("no C compiler for this machine: apt-get install gcc libc6-dev")
    try:
        plugin.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=plugin.parent) as work:
            made = Path(work) / plugin.name
            done = told([compiler, *flags, str(source), "-o", str(made)])
            if done.returncode:
                raise DeviceError(f"{compiler} does not compile {source.name}: {done.stderr[:300]}")
            made.replace(plugin)
    except OSError as error:
        raise DeviceError(f"{plugin.parent}: cannot write: {error.strerror}") from None


def argument(
    plugin: Path, out: Path, flash: Region, cache: Cache | None, marks: Iterable[int]
) -> str:
    """What follows `-plugin`; without a cache nothing is simulated."""
    parts = [plugin, f"out={out}", f"flash={flash.origin}:{flash.bytes}"]
    if cache:
        parts += [f"code={_shape(cache, cache.unified_bytes or cache.instruction_bytes or 0)}"]
        data = "code" if cache.unified_bytes else _shape(cache, cache.data_bytes or 0)
        parts += [f"data={data}"]
    parts += [f"mark={mark}" for mark in marks]
    return ",".join(str(part).replace(",", ",,") for part in parts)


def _shape(cache: Cache, size: int) -> str:
    """Lines, ways, bytes of a line and of a sector; without lines every sector is a miss."""
    lines = size // cache.line_bytes
    return f"{lines}:{cache.ways or max(lines, 1)}:{cache.line_bytes}:{cache.sector}"
