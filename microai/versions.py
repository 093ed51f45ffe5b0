# SPDX-License-Identifier: Apache-2.0
"""What something was made with."""

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

from microai import __version__

PACKAGES = ("torch", "numpy")
TIMEOUT_S = 20


def versions(*programs: str) -> dict[str, str]:
    """Of microai, Python, the packages that compute, and programs by name; absent ones left out."""
    found = {"microai": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for program in programs:
        if number := _asked(program):
            found[program.rpartition("/")[2]] = number
    return found


def _asked(program: str) -> str:
    """The first number with points in what --version prints."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    numbers = re.findall(r"\d+\.\d+(?:\.\d+)?", done.stdout.partition("\n")[0])
    return numbers[-1] if numbers else ""
