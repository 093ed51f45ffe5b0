# SPDX-License-Identifier: Apache-2.0
"""The whole compiler in order; read this first.

file -> Graph -> FLOAT_PASSES -> quantize -> INT_PASSES -> select -> plan -> render -> Compiled,
all of it pure; microai/deploy.py builds and runs what comes out.
"""

from collections.abc import Mapping, Sequence

from microai.backend import Kernel, by_preference, select
from microai.backends import kernels as all_kernels
from microai.bounds import prove_accumulators
from microai.graph import Graph, apply
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.plan import plan
from microai.quantize.scheme import SCHEMES
from microai.render import Compiled, render
from microai.types import Array


def quantize_graph(graph: Graph, scheme: str, samples: Mapping[str, Array]) -> Graph:
    """A float graph as imported, cleaned up and stored as the scheme says."""
    from microai.quantize.ptq import quantize

    return quantize(apply(graph, FLOAT_PASSES), SCHEMES[scheme], samples)


def compile_graph(
    graph: Graph, name: str = "model", kernels: Sequence[Kernel] | None = None
) -> Compiled:
    """A graph in its final storage as C. Pure: equal graphs give equal bytes."""
    graph = apply(graph, INT_PASSES)
    prove_accumulators(graph)
    kernels = all_kernels() if kernels is None else kernels
    choices = select(graph, kernels, by_preference(kernels))
    placed = plan(graph, {node: choice.scratch_bytes for node, choice in choices.items()})
    return Compiled(name, graph, choices, placed, render(graph, choices, placed, name))
