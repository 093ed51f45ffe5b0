# SPDX-License-Identifier: Apache-2.0
"""Choosing a kernel for every node.

A kernel is a template and what to ask before using it. The folder listing is the support matrix:
`<op>_<x>[_w<weights>][_y<output>][__<variant>].c.j2`, where `int` stands for every integer storage
and `any` for floats as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from microai.bounds import INT32_MAX, accumulator
from microai.errors import UnsupportedError
from microai.graph import Graph, Node
from microai.op import Accumulator, CParams
from microai.types import Array, TensorType

CODES = {"float32": "f32", "int4": "s4", "int8": "s8", "int16": "s16", "int32": "s32"}
ALIKE = {dtype: "f32" if dtype == "float32" else "int" for dtype in CODES}


@dataclass(frozen=True)
class Site:
    """One node with the types of its inputs, the values of its constants and what it sums up."""

    node: Node
    types: tuple[TensorType, ...]
    consts: Mapping[int, Array]
    sums: Accumulator | None = None

    @property
    def wide(self) -> bool:
        """Whether a sum may leave int32."""
        return self.sums is not None and int(self.sums.bound.max()) > INT32_MAX


def accepts(_: Site) -> str:
    """The default: no refusal."""
    return ""


def as_stored(site: Site) -> Mapping[int, Array]:
    """The default packing: constants as they are."""
    return site.consts


def nibbles(w: Array) -> Array:
    """int4 weights two in a byte, the first in its lower half."""
    flat = np.pad(w.ravel(), (0, w.size % 2)).astype(np.uint8) & 0xF
    packed: Array = flat[0::2] | flat[1::2] << 4
    return packed


def no_params(_: Site) -> CParams:
    """The default: the op's own numbers are enough."""
    return {}


def no_scratch(_: Site) -> int:
    """The default: no bytes besides input and output."""
    return 0


NHWC = "nhwc"
"""How a tensor lies in memory where a kernel does not say otherwise."""

Request = tuple[str, tuple[int, ...]]
"""A size function of a library, and what it is asked."""


@dataclass(frozen=True)
class Library:
    """C of somebody else's that templates call: its header, the folder with it, the archive built
    for the target. `needs` is what generated C says of it, `check` our function that sees whether
    that was linked; `scratch` asks its size functions; `description` names what was found.
    """

    header: str
    needs: str
    check: str
    include: Path
    archive: Path
    description: str
    scratch: Callable[[Sequence[Request]], Sequence[int]]


@dataclass(frozen=True)
class Kernel:
    """A template of a backend. `refuses` gives a sentence, empty when the kernel will do.

    Scratch is a number of bytes, or what the kernel's library is to be asked. `variant` tells
    kernels of one template apart; `optimize` is gcc's level for the step where it is not the
    file's; `in_ram` are its weights, copied there at start; `reads` and `writes` say how its
    tensors lie in memory.
    """

    backend: str
    template: str
    refuses: Callable[[Site], str] = accepts
    pack: Callable[[Site], Mapping[int, Array]] = as_stored
    scratch: Callable[[Site], int | Request] = no_scratch
    params: Callable[[Site], CParams] = no_params
    library: Library | None = None
    variant: str = ""
    optimize: str = ""
    in_ram: bool = False
    reads: str = NHWC
    writes: str = NHWC

    @property
    def name(self) -> str:
        """As in simd/conv2d_s8, simd/conv2d_s8+unroll2+O2+ram."""
        marks = (self.variant, self.optimize, "ram" if self.in_ram else "")
        return "+".join([f"{self.backend}/{self.template}", *filter(None, marks)])


@dataclass(frozen=True)
class Backend:
    """A folder of templates, and the kernels in it that need asking, by template name."""

    name: str
    table: Mapping[str, Kernel] = field(default_factory=dict)

    def kernel(self, template: str) -> Kernel:
        """The kernel of a template; most need nothing asked."""
        return self.table.get(template, Kernel(self.name, template))


@dataclass(frozen=True)
class Choice:
    """The template and the numbers one node will use; `consts` are packed, by input position.

    `refused`: what the backends before it said.
    """

    kernel: Kernel
    params: CParams
    consts: Mapping[int, Array]
    refused: str = ""
    scratch_bytes: int = 0


MOST_WILLING = ". Add portable behind the other backends: it takes what they refuse"
Cost = Callable[[Node, Kernel], float]
Choices = Mapping[str, Choice]


def storage_code(node: Node, types: Sequence[TensorType], codes: Mapping[str, str] = CODES) -> str:
    """`<x>[_w<weights>][_y<output>]`, as templates and C functions are named."""
    x, y = codes[types[0].dtype], codes[node.type.dtype]
    weights = codes[types[1].dtype] if len(types) > 1 and node.op.CHANNEL_AXIS else x
    return x + (f"_w{weights}" if weights != x else "") + (f"_y{y}" if y != x else "")


def template_stems(node: Node, types: Sequence[TensorType]) -> tuple[str, ...]:
    """The template names that a node's types ask for: for them alone, for all integers, for all."""
    slug = node.op.slug(*types)
    codes = [storage_code(node, types), storage_code(node, types, ALIKE), "any"]
    if types[0].dtype == "int32":  # indices: only what moves bytes reads them
        del codes[1]
    return tuple(f"{slug}_{code}" for code in codes)


def select(graph: Graph, kernels: Sequence[Kernel], cost: Cost) -> Choices:
    """The cheapest kernel that does not refuse, for every node; ties go to the first.

    Raises UnsupportedError with every reason for every node that none will take.
    """
    choices: dict[str, Choice] = {}
    wanted: dict[str, int | Request] = {}
    refusals: list[str] = []
    for node in graph.steps:
        site = site_of(graph, node)
        stems = template_stems(node, site.types)
        reasons = reasons_of(site, kernels)
        willing = [k for k, why in reasons.items() if not why]
        if willing:
            best = min(willing, key=lambda k: cost(site.node, k))
            said = _said(kernels, reasons, best, stems[0])
            choices[node.name] = _choose(site, best, said)
            wanted[node.name] = best.scratch(site)
        else:
            refusals.append(_refusal(node, stems[0], reasons))
    if refusals:
        others = "" if any(k.backend == "portable" for k in kernels) else MOST_WILLING
        raise UnsupportedError("; ".join(refusals) + others)
    sizes = _sizes(wanted, choices)
    return {name: replace(c, scratch_bytes=sizes[name]) for name, c in choices.items()}


def by_preference(kernels: Sequence[Kernel]) -> Cost:
    """The cost that keeps to the order given."""
    return lambda _, kernel: kernels.index(kernel)


def reasons_of(site: Site, kernels: Sequence[Kernel]) -> dict[Kernel, str]:
    """Why each kernel for a node's types refuses it; empty where it does not."""
    stems = template_stems(site.node, site.types)
    fitting = [k for k in kernels if k.template.partition("__")[0] in stems]
    return {k: k.refuses(site) for k in fitting}


def site_of(graph: Graph, node: Node) -> Site:
    """A node with all that kernels ask about it."""
    consts = {i: graph.weights[n] for i, n in enumerate(node.inputs) if n in graph.weights}
    return Site(node, graph.types(node), consts, accumulator(graph, node))


def _sizes(wanted: Mapping[str, int | Request], choices: Choices) -> dict[str, int]:
    """Scratch of every node, in bytes; each library is asked once."""
    sizes = {name: size for name, size in wanted.items() if isinstance(size, int)}
    asked = {name: request for name, request in wanted.items() if not isinstance(request, int)}
    for library in dict.fromkeys(choices[name].kernel.library for name in asked):
        assert library, "only kernels of a library ask"
        own = {name: r for name, r in asked.items() if choices[name].kernel.library == library}
        sizes.update(zip(own, library.scratch(list(own.values())), strict=True))
    return sizes


def _choose(site: Site, kernel: Kernel, refused: str) -> Choice:
    storage = storage_code(site.node, site.types) + ("_wide" if site.wide else "")
    own = site.node.op.c_params(*site.types, site.node.type)
    params = {**own, **kernel.params(site), "storage": storage}
    return Choice(kernel, params, kernel.pack(site), refused)


def _said(kernels: Sequence[Kernel], reasons: Mapping[Kernel, str], best: Kernel, stem: str) -> str:
    """Why none of the backends before the chosen one."""
    names = list(dict.fromkeys(k.backend for k in kernels))
    before = names[: names.index(best.backend)]
    said = {n: ", ".join(why for k, why in reasons.items() if k.backend == n) for n in before}
    return "; ".join(f"{name}: {why or f'has no {stem}'}" for name, why in said.items())


def _refusal(node: Node, stem: str, reasons: Mapping[Kernel, str]) -> str:
    said = "; ".join(f"{k.backend}: {why}" for k, why in reasons.items())
    return f"{node.name}: no kernel for {node.op}; {said or f'the backends have no {stem}'}"
