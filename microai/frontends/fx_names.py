# SPDX-License-Identifier: Apache-2.0
"""What a node of an exported program is called, here and in messages."""

import re
from pathlib import Path
from typing import Any

LEAF = ("torch.nn.modules.", "torch.ao.nn.")


def _stack(node: Any) -> tuple[str, str]:
    """Path and class of the innermost module the node comes from."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return (str(stack[-1][0]), str(stack[-1][1])) if stack else ("", "")


def place(node: Any) -> str:
    """The node's name: its module's path, and the operator where the module is the user's own."""
    path, kind = _stack(node)
    if path and kind.startswith(LEAF):
        return path
    return f"{path}.{node.name}" if path else str(node.name)


def describe(node: Any) -> str:
    """Module path, operator and dtype."""
    value = node.meta.get("val")
    tensor = value[0] if isinstance(value, tuple | list) else value
    dtype = str(getattr(tensor, "dtype", type(tensor).__name__)).removeprefix("torch.")
    target = node.name if node.op == "placeholder" else str(node.target)
    return f"{_stack(node)[0] or _line(node)}: {target} ({dtype})"


def _line(node: Any) -> str:
    """Where the user's own forward calls it, as (top, file:line)."""
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    return f"(top, {Path(lines[-1][0]).name}:{lines[-1][1]})" if lines else "(top)"
