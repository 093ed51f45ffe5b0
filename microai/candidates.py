# SPDX-License-Identifier: Apache-2.0
"""Each step of a network alone, with every kernel that does not refuse it, ready to be timed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from microai.backend import Kernel, by_preference, reasons_of, select, site_of
from microai.graph import Graph, Node
from microai.op import Const, Input
from microai.plan import plan
from microai.render import Compiled, render

Shape = tuple[object, ...]


@dataclass(frozen=True)
class Candidate:
    """One kernel for one step, compiled as a network of its own."""

    step: str
    kernel: Kernel
    compiled: Compiled

    @property
    def scratch_bytes(self) -> int:
        """Besides input and output."""
        (choice,) = self.compiled.choices.values()
        return choice.scratch_bytes


def candidates(graph: Graph, kernels: Sequence[Kernel]) -> Iterator[Candidate]:
    """Step by step, in order of preference; what says the same in other words comes once."""
    for node in graph.steps:
        alone = _alone(graph, node)
        seen: set[Shape] = set()
        for kernel, why in reasons_of(site_of(graph, node), kernels).items():
            if why or (kernel.in_ram and not _weighty(alone)):
                continue
            compiled = _compiled(alone, kernel)
            shape = _shape(compiled)
            if shape not in seen:
                seen.add(shape)
                yield Candidate(node.name, kernel, compiled)


def _alone(graph: Graph, node: Node) -> Graph:
    """The step with its constants; activations are inputs."""
    feeding = [graph[name] for name in dict.fromkeys(node.inputs)]
    sources = tuple(
        one if isinstance(one.op, Const) else replace(one, op=Input(one.type.shape), inputs=())
        for one in feeding
    )
    own = {one.name: graph.weights[one.name] for one in feeding if one.name in graph.weights}
    return Graph((*sources, node), (node.name,), own)


def _weighty(alone: Graph) -> bool:
    return bool(alone.weights)


def _compiled(alone: Graph, kernel: Kernel, name: str = "step") -> Compiled:
    choices = select(alone, [kernel], by_preference([kernel]))
    placed = plan(alone, {step: choice.scratch_bytes for step, choice in choices.items()})
    return Compiled(name, alone, alone, choices, placed, render(alone, choices, placed, name))


def named(candidate: Candidate, name: str) -> Compiled:
    """The candidate under another prefix, so that many go into one image."""
    return _compiled(candidate.compiled.graph, candidate.kernel, name)


def _shape(compiled: Compiled) -> Shape:
    """What the generated C and its place in memory follow from."""
    (choice,) = compiled.choices.values()
    kernel = choice.kernel
    return (
        compiled.sources["step.c"], kernel.optimize, kernel.in_ram, choice.scratch_bytes,
        kernel.reads, kernel.writes,
    )  # fmt: skip


