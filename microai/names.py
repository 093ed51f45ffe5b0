# SPDX-License-Identifier: Apache-2.0
"""Names from a model file, made safe for C: any text may be in them."""

import re
from collections.abc import Iterable

from microai.errors import UsageError

TAKEN = {  # headers of the C library and of the harness, which a model's header must not hide
    "assert", "complex", "ctype", "errno", "fenv", "float", "frame", "harness", "inttypes",
    "iso646", "limits", "locale", "main", "math", "models", "port", "setjmp", "signal", "startup",
    "stdarg", "stdbool", "stddef", "stdint", "stdio", "stdlib", "string", "tgmath", "time",
    "wchar", "wctype",
}  # fmt: skip


def is_prefix(name: str) -> bool:
    """Whether `check_prefix` takes it."""
    try:
        return bool(check_prefix(name))
    except UsageError:
        return False


def check_prefix(name: str) -> str:
    """The name if it can prefix C identifiers and name a header, else UsageError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name, re.ASCII):
        raise UsageError(f"--name is {name!r}; expected a letter, then letters, digits or _")
    if name.lower() in TAKEN or name.lower().startswith("mai_"):
        raise UsageError(f"--name {name!r} would hide another header; choose another name")
    return name


def identifiers(names: Iterable[str]) -> list[str]:
    """A piece of C identifier for each name, all distinct."""
    made: list[str] = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9]+", "_", name, flags=re.ASCII).strip("_")[:40] or "node"
        candidate, count = stem, 1
        while candidate in made:
            count += 1
            candidate = f"{stem}_{count}"
        made.append(candidate)
    return made


def comment(text: str) -> str:
    """The text as it may stand in a C comment, on one line, with nothing that ends it."""
    return re.sub(r"[^A-Za-z0-9_.:,()<>=* -]", "_", text, flags=re.ASCII)[:160]
