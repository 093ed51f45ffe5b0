# SPDX-License-Identifier: Apache-2.0
"""Graph, choices and plan as C text. Python decides everything; templates only print."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from microai.backend import Choice, Choices, Library
from microai.board import Board
from microai.graph import Graph, Node
from microai.kernels import kernel_header
from microai.names import comment, identifiers
from microai.op import CValue, Input
from microai.paths import data_dir
from microai.plan import ALIGN, Plan
from microai.save import model_id
from microai.types import Array, TensorType

Sources = dict[str, str]
"""Generated text by file name."""

PackedKey = tuple[str, str, bytes]
"""Name, dtype and bytes of a packed weight."""

CTYPES = {
    "float32": "float", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t",
    "int64": "int64_t", "uint8": "uint8_t",
}  # fmt: skip
STACK_BYTES = 4096


@dataclass(frozen=True)
class Compiled:
    """A model ready to build: what render needs, and what it made. `source` is the graph before its
    integer passes: what the target's outputs are compared with.
    """

    name: str
    source: Graph
    graph: Graph
    choices: Choices
    plan: Plan
    sources: Sources

    @property
    def libraries(self) -> tuple[Library, ...]:
        """What the C is built with besides our own."""
        return libraries(self.choices)

    @property
    def weights_bytes(self) -> int:
        """Bytes of packed weights."""
        return weights_bytes(self.graph, self.choices)


def libraries(choices: Choices) -> tuple[Library, ...]:
    """What the generated C is built with besides our own, each once."""
    used = (choice.kernel.library for choice in choices.values())
    return tuple(dict.fromkeys(library for library in used if library))


def weights_bytes(graph: Graph, choices: Choices) -> int:
    """Bytes of packed weights; what several nodes share counts once."""
    return sum(array.nbytes for array in dict(_packed(graph, choices).values()).values())


def ram_bytes(graph: Graph, choices: Choices) -> int:
    """Bytes of those that a kernel wants in RAM."""
    packed = _packed(graph, choices).items()
    wanted = dict(pair for (node, _), pair in packed if choices[node].kernel.in_ram)
    return sum(array.nbytes for array in wanted.values())


def macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of one node."""
    return node.op.macs(*graph.types(node), node.type)


def render(graph: Graph, choices: Choices, plan: Plan, name: str) -> Sources:
    """<name>.c, <name>.h and the kernel headers they include."""
    weights, symbols = _weights(graph, choices, name)
    steps = _steps(graph, choices, plan, name, symbols)
    headers = _called(step["body"] for step in steps)
    installed = libraries(choices)
    headers = sorted({*headers, *(f"{library.check}.h" for library in installed)})
    shared = {"installed": installed, "name": name, "NAME": name.upper(), "steps": steps,
              "state_bytes": plan.state_bytes}  # fmt: skip
    sources = {
        f"{name}.h": _template("model.h.j2").render(
            **shared, id=model_id(graph), arena_bytes=plan.arena_bytes, align=ALIGN,
            weights_bytes=weights_bytes(graph, choices), ram_bytes=ram_bytes(graph, choices),
            ports=_ports(graph, plan), macs=sum(macs(graph, node) for node in graph.steps),
        ),
        f"{name}.c": _template("model.c.j2").render(
            **shared, weights=weights, headers=headers
        ),
    }  # fmt: skip
    return sources | kernel_sources(headers)


def step_functions(compiled: Compiled) -> list[str]:
    """The C function of each step."""
    return [f"{compiled.name}_step_{ident}" for ident in _step_names(compiled.graph)]


def render_harness(compiled: Sequence[Compiled]) -> Sources:
    """models.c: the table that firmware/main.c serves."""
    arena = max((c.plan.arena_bytes for c in compiled), default=ALIGN)
    names = [c.name for c in compiled]
    return {"models.c": _template("models.c.j2").render(names=names, arena_bytes=arena, align=8)}


def render_link(board: Board) -> Sources:
    """The linker script for the board's memory."""
    flash, ram = board.memory.flash, board.memory.ram
    text = _template("link.ld.j2").render(
        board=comment(board.name), stack_bytes=STACK_BYTES,
        flash_origin=f"0x{flash.origin:08X}", flash_bytes=flash.bytes,
        ram_origin=f"0x{ram.origin:08X}", ram_bytes=ram.bytes,
    )  # fmt: skip
    return {"link.ld": text}


def literal(value: CValue) -> Any:
    """A number as C text; a tuple stays a tuple of texts."""
    if isinstance(value, tuple):
        return tuple(literal(v) for v in value)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value) if value > -(1 << 31) else "(-2147483647 - 1)"
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _template(name: str) -> Any:
    """A template that fails on any name it is not given."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    """One for all, since it keeps what it has compiled."""
    return Environment(
        loader=FileSystemLoader(data_dir("codegen_templates")), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, auto_reload=False,
        autoescape=False,  # noqa: S701  the output is C, names are made safe
    )  # fmt: skip


def _steps(
    graph: Graph, choices: Choices, plan: Plan, name: str, symbols: Mapping[tuple[str, int], str]
) -> list[dict[str, str]]:
    return [
        {
            "ident": f"{name}_step_{ident}",
            "comment": _step_comment(graph, node),
            "optimize": choices[node.name].kernel.optimize,
            "body": _body(graph, node, choices[node.name], plan, symbols),
        }
        for node, ident in zip(graph.steps, _step_names(graph), strict=True)
    ]


def _step_names(graph: Graph) -> list[str]:
    return identifiers(node.name for node in graph.steps)


def _step_comment(graph: Graph, node: Node) -> str:
    sizes = " and ".join(_shape(t) for t in graph.types(node)[:1])
    count = macs(graph, node)
    work = f", {count} MACs" if count else ""
    return comment(f"{node.name}: {node.op} {sizes} -> {_shape(node.type)}{work}")


def _shape(kind: TensorType) -> str:
    return "x".join(map(str, kind.shape))


def _body(
    graph: Graph,
    node: Node,
    choice: Choice,
    plan: Plan,
    symbols: Mapping[tuple[str, int], str],
) -> str:
    """The statements of one step."""
    inputs = [
        symbols.get((node.name, i)) or _at(graph[name], plan) for i, name in enumerate(node.inputs)
    ]
    scratch = plan.scratch.get(node.name)
    places = {
        "inputs": inputs, "output": _at(node, plan), "scratch_bytes": choice.scratch_bytes,
        "scratch": "NULL" if scratch is None else f"AT(uint8_t, {scratch})",
    }  # fmt: skip
    template = _template(f"{choice.kernel.backend}/{choice.kernel.template}.c.j2")
    text: str = template.render(**places, **{k: literal(v) for k, v in choice.params.items()})
    return text


def _at(node: Node, plan: Plan) -> str:
    """A tensor in the arena, as a C expression."""
    return f"AT({CTYPES[node.type.dtype]}, {plan.offsets[node.name]})"


def _packed(graph: Graph, choices: Choices) -> dict[tuple[str, int], tuple[PackedKey, Array]]:
    """For each node and input position: the packed array and a key equal for equal ones."""
    packed: dict[tuple[str, int], tuple[PackedKey, Array]] = {}
    for node in graph.steps:
        for position, array in sorted(choices[node.name].consts.items()):
            key = (node.inputs[position], str(array.dtype), array.tobytes())
            packed[node.name, position] = (key, array)
    return packed


def _weights(
    graph: Graph, choices: Choices, name: str
) -> tuple[list[dict[str, Any]], dict[tuple[str, int], str]]:
    """Every distinct packed array once, and its symbol for each use."""
    packed = _packed(graph, choices)
    arrays = dict(packed.values())
    in_ram = {key for (node, _), (key, _) in packed.items() if choices[node].kernel.in_ram}
    idents = dict(zip(arrays, identifiers(const for const, _, _ in arrays), strict=True))
    rows = [
        _weight_row(graph[key[0]], array, f"{name}_w_{idents[key]}", in_ram=key in in_ram)
        for key, array in arrays.items()
    ]
    return rows, {use: f"{name}_w_{idents[key]}" for use, (key, _) in packed.items()}


def _weight_row(const: Node, array: Array, ident: str, *, in_ram: bool) -> dict[str, Any]:
    flat = np.ravel(array)
    return {
        "ident": ident,
        "comment": comment(f"{const.name}: {'x'.join(map(str, array.shape))}"),
        "qualifier": "" if in_ram or const.place == "ram" else "const ",
        "ctype": CTYPES[str(array.dtype)],
        "size": flat.size,
        "elements": [literal(v) for v in flat.tolist()],
    }


def _ports(graph: Graph, plan: Plan) -> list[dict[str, Any]]:
    """The graph's inputs and outputs as macros."""
    outputs = tuple(graph[name] for name in graph.outputs)
    return [
        _port(kind, str(i) if len(nodes) > 1 else "", node, plan)
        for kind, nodes in (("input", graph.inputs), ("output", outputs))
        for i, node in enumerate(nodes)
    ]


def _port(kind: str, index: str, node: Node, plan: Plan) -> dict[str, Any]:
    quant = node.type.quant
    meaning = ", real = scale * (q - zero)" if quant else ""
    nearest = quant is not None and quant.rounding == "nearest"
    statistics = node.op if isinstance(node.op, Input) and node.op.normalized else None
    return {
        "macro": f"{kind}{index}", "MACRO": f"{kind}{index}".upper(),
        "comment": comment(f"{kind} {node.name}: {node.type.dtype} {_shape(node.type)}{meaning}"),
        "ctype": CTYPES[node.type.dtype], "size": node.type.size, "shape": node.type.shape,
        "offset": plan.offsets[node.name], "is_input": kind == "input",
        "inverse": literal(float(np.float32(1 / quant.scale[0]))) if quant else "",
        "low": quant.low if quant else 0, "high": quant.high if quant else 0,
        "nearest": nearest, "rounding": "half up" if nearest else "down",
        "scale": literal(quant.scale[0]) if quant else "", "zero": quant.zero if quant else 0,
        "mean": literal(statistics.mean) if statistics else (),
        "std": literal(statistics.std) if statistics else (),
    }  # fmt: skip


def _called(bodies: Iterable[str]) -> list[str]:
    """Headers of the kernels that the text calls: each is named after its function."""
    calls = {f"{name}.h" for body in bodies for name in re.findall(r"\b(mai_\w+)\(", body)}
    return sorted(calls)


def kernel_sources(headers: Iterable[str]) -> Sources:
    """The headers' text, with what they include."""
    sources: Sources = {}
    wanted = list(headers)
    while wanted:
        name = wanted.pop()
        if name not in sources:
            sources[name] = kernel_header(name.removesuffix(".h"))
            wanted += re.findall(r'#include "(mai_\w+\.h)"', sources[name])
    return dict(sorted(sources.items()))
