# SPDX-License-Identifier: Apache-2.0
"""Choosing a kernel for every node.

A kernel is a template and what to ask before using it. The folder listing is the support matrix:
`<op>_<x>[_w<weights>][_y<output>][__<variant>].c.j2`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from microai.errors import UnsupportedError
from microai.graph import Graph, Node
from microai.op import CParams, Op
from microai.types import Array, TensorType

CODES = {"float32": "f32", "int8": "s8", "int16": "s16", "int32": "s32"}


@dataclass(frozen=True)
class Site:
    """One node with the types of its inputs and the values of its constants."""

    node: Node
    types: tuple[TensorType, ...]
    consts: Mapping[int, Array]


def accepts(_: Site) -> str:
    """The default: no refusal."""
    return ""


def as_stored(site: Site) -> Mapping[int, Array]:
    """The default packing: constants as they are."""
    return site.consts


def no_scratch(_: Site) -> int:
    """The default: no bytes besides input and output."""
    return 0


@dataclass(frozen=True)
class Kernel:
    """A template of a backend. `refuses` gives a sentence, empty when the kernel will do."""

    backend: str
    template: str
    refuses: Callable[[Site], str] = accepts
    pack: Callable[[Site], Mapping[int, Array]] = as_stored
    scratch: Callable[[Site], int] = no_scratch


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
    """The template and the numbers one node will use; `consts` are packed, by input position."""

    kernel: Kernel
    params: CParams
    consts: Mapping[int, Array]
    scratch_bytes: int


Cost = Callable[[Node, Kernel], float]
Choices = Mapping[str, Choice]


def op_slug(op: type[Op]) -> str:
    """The op's name in file names: MaxPool2d is max_pool2d."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", op.__name__).lower()


def template_stem(node: Node, types: Sequence[TensorType]) -> str:
    """The template name that a node's types ask for."""
    x, y = types[0].dtype, node.type.dtype
    weights = types[1].dtype if len(types) > 1 and node.op.CHANNEL_AXIS else x
    stem = f"{op_slug(type(node.op))}_{CODES[x]}"
    if weights != x:
        stem += f"_w{CODES[weights]}"
    return stem if y == x else f"{stem}_y{CODES[y]}"


def select(graph: Graph, kernels: Sequence[Kernel], cost: Cost) -> Choices:
    """The cheapest kernel that does not refuse, for every node; ties go to the first.

    Raises UnsupportedError with every reason for every node that none will take.
    """
    choices: dict[str, Choice] = {}
    refusals: list[str] = []
    for node in graph.steps:
        site = _site(graph, node)
        stem = template_stem(node, site.types)
        fitting = [k for k in kernels if k.template.partition("__")[0] == stem]
        reasons = {k: k.refuses(site) for k in fitting}
        willing = [k for k in fitting if not reasons[k]]
        if willing:
            choices[node.name] = _choose(site, min(willing, key=lambda k: cost(site.node, k)))
        else:
            refusals.append(_refusal(node, stem, reasons))
    if refusals:
        raise UnsupportedError("; ".join(refusals))
    return choices


def by_preference(kernels: Sequence[Kernel]) -> Cost:
    """The cost that keeps to the order given."""
    return lambda _, kernel: kernels.index(kernel)


def _site(graph: Graph, node: Node) -> Site:
    consts = {i: graph.weights[n] for i, n in enumerate(node.inputs) if n in graph.weights}
    return Site(node, graph.types(node), consts)


def _choose(site: Site, kernel: Kernel) -> Choice:
    params = site.node.op.c_params(*site.types, site.node.type)
    return Choice(kernel, params, kernel.pack(site), kernel.scratch(site))


def _refusal(node: Node, stem: str, reasons: Mapping[Kernel, str]) -> str:
    said = "; ".join(f"{k.backend}: {why}" for k, why in reasons.items())
    return f"{node.name}: no kernel for {node.op}; {said or f'no backend has {stem}.c.j2'}"
