# SPDX-License-Identifier: Apache-2.0
"""The C of two tiny models and the text of passes, as files; `make golden` rewrites them."""

from pathlib import Path

import numpy as np
import pytest

from microai.graph import apply
from microai.passes import FLOAT_PASSES, INT_PASSES, drop_dead_channels, fold_constant_channels
from microai.pipeline import compile_graph
from tests.golden import compare
from tests.graphs import GRAPHS, coarse, imported, quantized


@pytest.mark.parametrize("name", ["scaled_dense", "shared"])
def test_generated_c(name: str, request: pytest.FixtureRequest) -> None:
    """A refactoring shows an empty diff here."""
    sources = compile_graph(coarse(name), name).sources
    for file in (f"{name}.c", f"{name}.h"):
        compare(sources[file], Path("c") / file, request)


ONLY_INT = [run for run in INT_PASSES if run not in FLOAT_PASSES]
SHOWN = {
    "fuse_tables": "tables",
    "drop_idle_quantize": "tables",
    "drop_dead_channels": "sparse",
    "fold_constant_channels": "sparse",
    "drop_idle_relu": "shared",
    "merge_equals": "twice",
    "merge_pads": "twice",
    "pool_before_relu": "twice",
    "rectify_before_pool": "sparse",
}
"""The graph that shows most of a pass, where it is not `residual`."""


@pytest.mark.parametrize("run", FLOAT_PASSES, ids=lambda run: run.__name__)
def test_float_pass(run, request: pytest.FixtureRequest) -> None:
    """The graph before and after, as text."""
    shown(run, GRAPHS[SHOWN.get(run.__name__, "residual")](), request)


@pytest.mark.parametrize("run", ONLY_INT, ids=lambda run: run.__name__)
def test_int_pass(run, request: pytest.FixtureRequest) -> None:
    """The same in integers."""
    shown(run, imported(SHOWN[run.__name__]), request)


def shown(run, graph, request) -> None:
    """A pass must do something to what shows it."""
    if run is drop_dead_channels:
        graph = apply(graph, (fold_constant_channels,))
    before, after = (described(g, run) for g in (graph, apply(graph, (run,))))
    assert after != before
    text = f"{before}\n\n-> {run.__name__}\n\n{after}\n"
    compare(text, Path("passes") / f"{run.__name__}.txt", request)


def described(graph, run) -> str:
    """A graph as text; where only weights change, how many are not 0."""
    if run is not fold_constant_channels:
        return str(graph)
    counts = (f"{n}: {np.count_nonzero(w)} of {w.size} are not 0" for n, w in graph.weights.items())
    return "\n".join(counts)


def test_generation_is_deterministic() -> None:
    """Two runs give the same bytes."""
    first, second = (compile_graph(quantized("residual")).sources for _ in range(2))
    assert first == second
