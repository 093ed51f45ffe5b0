# SPDX-License-Identifier: Apache-2.0
"""What the tests of both export formats share: a case or graph, in a scheme, in its runtime."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from microai.agreement import Agreement, compare
from microai.export import to_bytes
from microai.graph import Graph, apply
from microai.interpret import interpret
from microai.op import snake
from microai.ops import OPS, Activation, Lookup
from microai.oracle import Oracle, oracle_of
from microai.passes import EXPORT_PASSES
from microai.pipeline import quantize_graph
from microai.samples import stored
from microai.verdict import FLOAT_TOLERANCE
from tests.cases import CASES
from tests.graphs import GRAPHS, samples
from tests.ladder import SCHEMES, applies, case_graph, half_float, inputs_of, tied

NAMES = [snake(op.__name__) for op in OPS if op is not Lookup]
"""What other formats have a word for."""


@dataclass(frozen=True)
class Bound:
    """How many steps a layer may be off, and how many of its elements."""

    steps: int
    share: float


def graph_of(name: str, scheme: str, seed: int = 0) -> Graph:
    """A case in a scheme, calibrated on less than it will see."""
    graph = case_graph(CASES[name], seed)
    if scheme == "f32":
        return graph
    make = tied if scheme.startswith("ties") else quantize_graph
    return half_float(make(graph, SCHEMES[scheme], inputs_of(graph, seed + 1, spread=0.5)))


def whole(name: str, scheme: str) -> Graph:
    """One of the small networks, as `export` writes it."""
    graph = GRAPHS[name]()
    return apply(quantize_graph(graph, SCHEMES[scheme], samples(graph)), EXPORT_PASSES)


@cache
def runtime(kind: str) -> Oracle:
    """It is among what the tests need."""
    oracle = oracle_of(kind)
    assert oracle
    return oracle


def cases_of(op: str, scheme: str) -> Iterator[str]:
    """The op's cases that the scheme has."""
    return (n for n, case in CASES.items() if n.startswith(f"{op}-") and applies(case, scheme))


def measured(name: str, scheme: str, kind: str) -> Bound:
    """A case's difference on two networks; float32 is relative, in tolerances."""
    steps, apart = 0.0, []
    for seed in (0, 10):
        graph = graph_of(name, scheme, seed)
        inputs = stored(graph, inputs_of(graph, seed + 2, spread=1.5))
        ours = interpret(graph, inputs)["y"]
        found = runtime(kind).run(graph, to_bytes(graph, kind), inputs)["y"]
        assert (found.dtype, found.shape) == (ours.dtype, ours.shape)
        difference = np.abs(found.astype(np.float64) - ours)
        if found.dtype.kind == "f":
            difference //= FLOAT_TOLERANCE * max(np.abs(ours).max(), 1)
        steps = max(steps, difference.max())
        apart.append((difference > 0).mean())
    return Bound(int(steps), float(np.mean(apart)))


def title(name: str) -> str:
    """The op, or the function where it is one."""
    op = CASES[name][0]
    return op.kind if isinstance(op, Activation) else name.split("-", maxsplit=1)[0]


def agreement(graph: Graph, kind: str) -> Agreement:
    """On the graph's own samples."""
    inputs = stored(graph, samples(graph))
    return compare(graph, kind, to_bytes(graph, kind), inputs, runtime(kind))
