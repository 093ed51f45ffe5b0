# SPDX-License-Identifier: Apache-2.0
"""The ladder: every op x case x scheme x backend, each rung compared with the one below."""

import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microai.fixedpoint import dequantize
from microai.ops import Activation
from microai.types import QTensor, TensorType
from tests.cases import CASES
from tests.cases.activation import bend
from tests.drawn import drawn_cases
from tests.ladder import (
    BACKEND_NAMES,
    SAMPLES,
    SCHEMES,
    applies,
    case_graph,
    check,
    in_qemu,
    inputs_of,
    on_host,
    trial,
)

SLACK = 0.1  # steps, for multipliers of 15 bits and tables of 22
LADDER = [(s, b) for s in SCHEMES for b in BACKEND_NAMES]
NAMES = {s: [name for name, case in CASES.items() if applies(case, s)] for s in SCHEMES}
PARAMETERS = [
    pytest.param(s, b, name, id=f"{s}-{b}-{name}") for s, b in LADDER for name in NAMES[s]
]


@pytest.mark.parametrize("name", CASES)
def test_rung1_shapes(name: str) -> None:
    """The float rule gives the shape that infer says; at batch 3 it is three single runs."""
    graph = case_graph(CASES[name])
    node = graph["y"]
    fed = {input_node.name for input_node in graph.inputs}
    values = {**inputs_of(graph, 0), **graph.weights}

    def run(*rows: int) -> torch.Tensor:
        chosen = [values[i][list(rows)] if i in fed else values[i] for i in node.inputs]
        return node.op.run_float(*map(torch.from_numpy, chosen))

    single = [run(row) for row in range(SAMPLES)]
    assert all(y.shape == node.type.shape for y in single)
    torch.testing.assert_close(run(*range(SAMPLES)), torch.cat(single))


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s != "f32"])
@pytest.mark.parametrize("name", NAMES["int8"])
def test_rung2_integers_stay_near_floats(name: str, scheme: str) -> None:
    """The integer rule is the float rule of the same numbers, within a rounding."""
    one = trial(CASES[name], scheme, "portable")
    graph = one.compiled.graph
    node = graph["y"]
    values = {**one.inputs, **graph.weights}
    reals = [_real(values[i], graph[i].type) for i in node.inputs]
    expected = node.op.run_float(*map(torch.from_numpy, reals)).numpy()
    found = _real(one.reference["y"], node.type)
    if node.type.quant is None:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        return
    quant = node.type.quant
    low, high = ((limit - quant.zero) * quant.scale[0] for limit in (quant.low, quant.high))
    steps = (found - np.clip(expected, low, high)) / quant.scale[0]
    down = 1.0 if quant.rounding == "floor" else 0.5
    slack = SLACK
    if isinstance(node.op, Activation):
        slack += bend(node.op, graph["i0"].type.stored, quant)
    assert -down - slack <= steps.min()
    assert steps.max() <= 1 - down + slack


def _real(array: np.ndarray, kind: TensorType) -> np.ndarray:
    if kind.quant is None:
        return array.astype(np.float64)
    return dequantize(QTensor(array.astype(np.int64), kind.quant))


@pytest.fixture(scope="module", params=LADDER, ids="-".join)
def on_host_all(request, tmp_path_factory):
    """Every case of a scheme and backend in one sanitized process."""
    scheme, backend = request.param
    trials = {
        name: trial(CASES[name], scheme, backend, name.replace("-", "_")) for name in NAMES[scheme]
    }
    with on_host(list(trials.values()), tmp_path_factory.mktemp("host")) as link:
        yield scheme, backend, trials, link


def test_rung3_c_equals_integers_on_host(on_host_all) -> None:
    """C with sanitizers equals the integer rules exactly; floats to 1e-5."""
    _, _, trials, link = on_host_all
    failures = _failures(trials, link)
    assert not failures, "\n".join(failures)


@pytest.mark.qemu
@pytest.mark.parametrize(("scheme", "backend"), LADDER)
def test_rung4_c_equals_integers_in_qemu(scheme, backend, qemu, tmp_path, capsys) -> None:
    """The same on a Cortex-M4F, all cases in one image."""
    start = time.monotonic()
    trials = {
        name: trial(CASES[name], scheme, backend, name.replace("-", "_")) for name in NAMES[scheme]
    }
    with in_qemu(list(trials.values()), tmp_path, qemu) as link:
        failures = _failures(trials, link)
    with capsys.disabled():
        seconds = time.monotonic() - start
        print(f"\n{qemu}: {backend} {scheme}: {len(trials)} cases in {seconds:.1f} s")
    assert not failures, "\n".join(failures)


def _failures(trials, link) -> list[str]:
    """Cases whose outputs differ; a dead link ends it."""
    failures = []
    for index, (name, one) in enumerate(trials.items()):
        try:
            check(link, index, one)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    return failures


@pytest.mark.parametrize("stem", sorted({name.partition("-")[0] for name in NAMES["int8"]}))
def test_cases_saturate_at_both_ends(stem: str) -> None:
    """Among an op's integer cases some output is the lowest and some the highest."""
    values = [
        trial(CASES[name], "int8", "portable").reference["y"]
        for name in NAMES["int8"]
        if name.startswith(f"{stem}-")
    ]
    if values[0].dtype == np.int8 and stem != "softmax":  # which sums to one
        assert min(v.min() for v in values) == -128
        assert max(v.max() for v in values) == 127


def test_every_op_has_three_cases() -> None:
    """An op without cases would pass every rung."""
    stems = [name.partition("-")[0] for name in CASES]
    assert all(stems.count(stem) >= 3 for stem in stems)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases=st.lists(drawn_cases(), min_size=12, max_size=12), seed=st.integers(0, 1000))
def test_rung3_on_drawn_shapes(tmp_path_factory, cases, seed) -> None:
    """Shapes nobody thought of, a dozen to a process."""
    for scheme in SCHEMES:
        trials = [trial(c, scheme, "portable", f"m{i}", seed + i) for i, c in enumerate(cases)]
        with on_host(trials, tmp_path_factory.mktemp("drawn")) as link:
            for index, one in enumerate(trials):
                check(link, index, one)
