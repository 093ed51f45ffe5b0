# SPDX-License-Identifier: Apache-2.0
"""Each step of a network alone, with every kernel that does not refuse it, ready to be timed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from microai.backend import Kernel, by_preference, reasons_of, select, site_of
from microai.graph import Graph, Node
from microai.op import Const, Input
from microai.plan import plan
from microai.render import Compiled, render

NAME = "step"  # the prefix of what is compared


@dataclass(frozen=True)
class Candidate:
    """One kernel for one step, as a network of its own."""

    step: str
    kernel: Kernel
    alone: Graph

    @cached_property
    def compiled(self) -> Compiled:
        """Under a prefix that is always the same."""
        return self.named(NAME)

    def named(self, name: str) -> Compiled:
        """Under a prefix, so that many go into one image."""
        choices = select(self.alone, [self.kernel], by_preference([self.kernel]))
        placed = plan(self.alone, {step: one.scratch_bytes for step, one in choices.items()})
        sources = render(self.alone, choices, placed, name)
        return Compiled(name, self.alone, self.alone, choices, placed, sources)

    @property
    def scratch_bytes(self) -> int:
        """Besides input and output."""
        return self.compiled.choices[self.step].scratch_bytes

    @cached_property
    def version(self) -> str:
        """A digest of all C that is compiled for the step, weights included, and of libraries."""
        digest = hashlib.sha256()
        for name, text in self.compiled.sources.items():
            digest.update(f"{name}\0{text}\0".encode())
        for library in self.compiled.libraries:
            digest.update(library.description.encode())
        digest.update(f"{self.scratch_bytes} {self.kernel.reads} {self.kernel.writes}".encode())
        return digest.hexdigest()


def candidates(graph: Graph, kernels: Sequence[Kernel]) -> Iterator[Candidate]:
    """Step by step, in order of preference; what comes out as the same C comes once."""
    for node in graph.steps:
        alone = step_alone(graph, node)
        seen: set[str] = set()
        for kernel, why in reasons_of(site_of(graph, node), kernels).items():
            if why or (kernel.in_ram and not alone.weights):
                continue
            candidate = Candidate(node.name, kernel, alone)
            if candidate.version not in seen:
                seen.add(candidate.version)
                yield candidate


def step_alone(graph: Graph, node: Node) -> Graph:
    """A step with its constants; activations are inputs."""
    feeding = [graph[name] for name in dict.fromkeys(node.inputs)]
    sources = tuple(
        one if isinstance(one.op, Const) else replace(one, op=Input(one.type.shape), inputs=())
        for one in feeding
    )
    own = {one.name: graph.weights[one.name] for one in feeding if one.name in graph.weights}
    return Graph((*sources, node), (node.name,), own)
