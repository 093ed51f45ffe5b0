# SPDX-License-Identifier: Apache-2.0
"""What the importers of ATen operators share: their arguments, checked."""

from typing import Any

from microai.frontends.builder import RefusedError, Weight

Arguments = dict[str, Any]


def weight(a: Arguments, key: str) -> Weight:
    """An argument that must be constant."""
    found = a[key]
    if not isinstance(found, Weight):
        raise RefusedError(f"its {key} is computed at run time", "a parameter or buffer")
    return found


def bias(a: Arguments) -> Weight | None:
    """The argument `bias`, where it is there."""
    return None if a.get("bias") is None else weight(a, "bias")
