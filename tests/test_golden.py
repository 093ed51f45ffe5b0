# SPDX-License-Identifier: Apache-2.0
"""The C of two tiny models and the text of passes, as files; `make golden` rewrites them."""

from pathlib import Path

import pytest

from microai.graph import apply
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.pipeline import compile_graph
from tests.golden import compare
from tests.graphs import GRAPHS, quantized


@pytest.mark.parametrize("name", ["scaled_dense", "shared"])
def test_generated_c(name: str, request: pytest.FixtureRequest) -> None:
    """A refactoring shows an empty diff here."""
    sources = compile_graph(quantized(name), name).sources
    for file in (f"{name}.c", f"{name}.h"):
        compare(sources[file], Path("c") / file, request)


@pytest.mark.parametrize("run", FLOAT_PASSES, ids=lambda run: run.__name__)
def test_float_pass(run, request: pytest.FixtureRequest) -> None:
    """The graph before and after, as text."""
    graph = GRAPHS["residual"]()
    text = f"{graph}\n\n-> {run.__name__}\n\n{apply(graph, (run,))}\n"
    compare(text, Path("passes") / f"{run.__name__}.txt", request)


@pytest.mark.parametrize("run", INT_PASSES, ids=lambda run: run.__name__)
def test_int_pass(run, request: pytest.FixtureRequest) -> None:
    """The graph before and after, as text."""
    graph = quantized("shared")
    text = f"{graph}\n\n-> {run.__name__}\n\n{apply(graph, (run,))}\n"
    compare(text, Path("passes") / f"{run.__name__}.txt", request)


def test_generation_is_deterministic() -> None:
    """Two runs give the same bytes."""
    first, second = (compile_graph(quantized("residual")).sources for _ in range(2))
    assert first == second
