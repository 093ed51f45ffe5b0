# SPDX-License-Identifier: Apache-2.0
"""Try every tool, and say how to get what is missing."""

import importlib.util
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from microai.device.build import CORTEX_M4F, find_tool
from microai.device.cmsis_nn import installed
from microai.device.plugin import trace_plugin
from microai.errors import DeviceError
from microai.paths import cache_dir

PROBE = "#include <math.h>\n#include <stdint.h>\nint main(void) { return (int)sqrtf(4.0f); }\n"
TIMEOUT_S = 60
REQUIRED = ("deploy, run", "--emulate")  # of what a tool is needed for


@dataclass(frozen=True)
class Tool:
    """What was found: `ok`, and a version or what to do; `required` by every deployment."""

    name: str
    needed_for: str
    required: bool
    ok: bool
    remark: str


def examine(qemu: str, cmsis_nn: Path | None) -> list[Tool]:
    """Every tool, tried; a library that is named must be fit."""
    arm = [*CORTEX_M4F, "--specs=nano.specs", "--specs=nosys.specs"]
    checks: list[tuple[str, str, Callable[[], str]]] = [
        ("arm-none-eabi-gcc", "deploy, run", lambda: _compiles("arm-none-eabi-gcc", arm)),
        (qemu, "--emulate", lambda: _emulates(qemu)),
        ("trace plugin", "profile, tune", lambda: str(trace_plugin(cache_dir()))),
        ("gcc", "tests", lambda: _compiles("gcc", ["-fsanitize=address,undefined"])),
        ("clang", "tests", lambda: _compiles("clang", [])),
        ("torch", "float models, quantizing", lambda: _importable("torch", "'microai[torch]'")),
        ("onnx", "ONNX models", lambda: _importable("onnx", "'microai[onnx]'")),
        ("tflite", "TFLite models", lambda: _importable("tflite", "'microai[tflite]'")),
        (
            "ai_edge_litert",
            "export",
            lambda: _importable("ai_edge_litert", "'microai[tflite]'"),
        ),
        ("onnxruntime", "comparing exports", lambda: _importable("onnxruntime", "onnxruntime")),
        ("sklearn", "the digits example", lambda: _importable("sklearn", "'microai[demo]'")),
        ("CMSIS-NN", "--backend cmsis_nn", lambda: _library(cmsis_nn, qemu)),
    ]
    required = {*REQUIRED, "--backend cmsis_nn"} if cmsis_nn else set(REQUIRED)
    return [_try(*check, required) for check in checks]


def print_tools(tools: list[Tool], console: Console) -> None:
    """A table."""
    table = Table("tool", "needed for", "", "found, or what to do")
    for tool in tools:
        mark = "[green]ok[/green]" if tool.ok else "[red]missing[/red]"
        table.add_row(escape(tool.name), tool.needed_for, mark, escape(tool.remark))
    console.print(table)


def _try(name: str, needed_for: str, check: Callable[[], str], required: set[str]) -> Tool:
    must = needed_for in required
    try:
        return Tool(name, needed_for, must, ok=True, remark=check())
    except DeviceError as error:
        return Tool(name, needed_for, must, ok=False, remark=str(error))


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise DeviceError(f"{command[0]} does not run: {error}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DeviceError(f"{Path(command[0]).name} fails: {last[:200]}")
    return done.stdout


def _compiles(compiler: str, flags: list[str]) -> str:
    tool = find_tool(compiler)
    with tempfile.TemporaryDirectory(prefix="microai-") as folder:
        source = Path(folder) / "probe.c"
        source.write_text(PROBE, encoding="utf-8")
        _output(tool, *flags, str(source), "-o", str(Path(folder) / "probe"), "-lm")
    return _output(tool, "--version").splitlines()[0]


def _emulates(qemu: str) -> str:
    tool = find_tool(qemu)
    if "mps2-an386" not in _output(tool, "-M", "help"):
        raise DeviceError(f"{qemu} has no machine mps2-an386; install QEMU 7.2 or newer")
    return _output(tool, "--version").splitlines()[0]


def _library(prefix: Path | None, qemu: str) -> str:
    return installed(prefix, qemu, lambda _: None).description


def _importable(module: str, package: str) -> str:
    if importlib.util.find_spec(module) is None:
        raise DeviceError(f"not installed: pip install {package}")
    return "installed"
