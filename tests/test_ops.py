# SPDX-License-Identifier: Apache-2.0
"""The ladder: every op x case x scheme x backend, each rung compared with the one below."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microai.backend import Backend
from microai.backends import kernels
from microai.backends.cmsis_nn import CMSIS_NN
from microai.backends.simd import SIMD
from microai.fixedpoint import dequantize
from microai.ops import Activation
from microai.types import QTensor, TensorType
from tests.cases import CASES
from tests.cases.activation import bend
from tests.drawn import drawn_cases
from tests.ladder import (
    CALLED,
    LADDER,
    QUICK,
    SAMPLES,
    SCHEMES,
    Trial,
    case_graph,
    check,
    in_qemu,
    inputs_of,
    on_host,
    trial,
    trials,
)

SLACK = 0.1  # steps, for multipliers of 15 bits and tables of 22
QUICK_LAST = [
    pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow)
    for pair in (*LADDER, *CALLED)
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


@pytest.mark.parametrize(
    "scheme",
    [pytest.param(s, marks=() if s == "int8" else pytest.mark.slow) for s in SCHEMES if s != "f32"],
)
def test_rung2_integers_stay_near_floats(scheme: str) -> None:
    """The integer rule is the float rule of the same numbers, within a rounding."""
    far = [name for name, one in trials(scheme, "portable").items() if not _near(one)]
    assert not far


def _near(one: Trial) -> bool:
    """Whether every output lies within a rounding of the real one."""
    graph = one.compiled.graph
    node = graph["y"]
    values = {**one.inputs, **graph.weights}
    reals = [_real(values[i], graph[i].type) for i in node.inputs]
    expected = node.op.run_float(*map(torch.from_numpy, reals)).numpy()
    found = _real(one.reference["y"], node.type)
    if node.type.quant is None:
        return np.allclose(found, expected, rtol=1e-6)
    quant = node.type.quant
    low, high = ((limit - quant.zero) * quant.scale[0] for limit in (quant.low, quant.high))
    steps = (found - np.clip(expected, low, high)) / quant.scale[0]
    down = 1.0 if quant.rounding == "floor" else 0.5
    slack = SLACK
    if isinstance(node.op, Activation):
        slack += bend(node.op, graph["i0"].type.stored, quant)
    return bool(-down - slack <= steps.min() and steps.max() <= 1 - down + slack)


def _real(array: np.ndarray, kind: TensorType) -> np.ndarray:
    if kind.quant is None:
        return array.astype(np.float64)
    return dequantize(QTensor(array.astype(np.int64), kind.quant))


@pytest.mark.parametrize(("scheme", "backend"), QUICK_LAST)
def test_rung3_c_equals_integers_on_host(scheme: str, backend: str, tmp_path: Path) -> None:
    """C with sanitizers equals the integer rules exactly; floats to 1e-5."""
    cases = trials(scheme, backend)
    with on_host(list(cases.values()), tmp_path) as link:
        failures = _failures(cases, link)
    assert not failures, "\n".join(failures)


@pytest.mark.qemu
@pytest.mark.parametrize(("scheme", "backend"), LADDER)
def test_rung4_c_equals_integers_in_qemu(scheme, backend, qemu, tmp_path, capsys) -> None:
    """The same on a Cortex-M4F, all cases in one image."""
    start = time.monotonic()
    cases = trials(scheme, backend)
    with in_qemu(list(cases.values()), tmp_path, qemu) as link:
        failures = _failures(cases, link)
    with capsys.disabled():
        seconds = time.monotonic() - start
        print(f"\n{qemu}: {backend} {scheme}: {len(cases)} cases in {seconds:.1f} s")
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


def test_cases_saturate_at_both_ends() -> None:
    """Among an op's integer cases some output is the lowest and some the highest."""
    values: dict[str, list[np.ndarray]] = {}
    for name, one in trials("int8", "portable").items():
        values.setdefault(name.partition("-")[0], []).append(one.reference["y"])
    for stem, arrays in values.items():
        if arrays[0].dtype == np.int8 and stem != "softmax":  # which sums to one
            assert min(a.min() for a in arrays) == -128, stem
            assert max(a.max() for a in arrays) == 127, stem


def test_every_op_has_three_cases() -> None:
    """An op without cases would pass every rung."""
    stems = [name.partition("-")[0] for name in CASES]
    assert all(stems.count(stem) >= 3 for stem in stems)


@pytest.mark.parametrize(
    ("backend", "schemes"),
    [
        (SIMD, ("int8", "qmn16", "int16x8")),
        pytest.param(CMSIS_NN, ("int8", "int8x4", "int16x8", "ties16"), marks=pytest.mark.slow),
    ],
)
def test_every_kernel_takes_something(backend: Backend, schemes: tuple[str, ...]) -> None:
    """A kernel that refuses everything would pass every rung."""
    wanted = {kernel.template for kernel in kernels([backend])}
    taken = {
        one.compiled.choices["y"].kernel.template
        for scheme in schemes
        for one in trials(scheme, backend.name).values()
    }
    assert taken == wanted


seeds = st.integers(0, 1000)
drawn = st.tuples(drawn_cases(), st.sampled_from(LADDER), seeds)
drawn_for_host = st.tuples(drawn_cases(), st.sampled_from([*LADDER, *CALLED]), seeds)
many = settings(deadline=None, suppress_health_check=list(HealthCheck))


def made(cases) -> list[Trial]:
    """Drawn cases, each a model of its own."""
    return [
        trial(case, scheme, backend, f"m{i}", seed)
        for i, (case, (scheme, backend), seed) in enumerate(cases)
    ]


@pytest.mark.slow
@settings(many, max_examples=20)
@given(cases=st.lists(drawn_for_host, min_size=12, max_size=12))
def test_rung3_on_drawn_shapes(tmp_path_factory, cases) -> None:
    """Shapes nobody thought of, in any scheme and backend, a dozen to a process."""
    models = made(cases)
    with on_host(models, tmp_path_factory.mktemp("drawn")) as link:
        for index, one in enumerate(models):
            check(link, index, one)


@pytest.mark.qemu
@pytest.mark.slow
@settings(many, max_examples=4)
@given(cases=st.lists(drawn, min_size=30, max_size=30))
def test_rung4_on_drawn_shapes(tmp_path_factory, cases) -> None:
    """The same with what only the target runs: the assembly."""
    models = made(cases)
    with in_qemu(models, tmp_path_factory.mktemp("drawn"), "qemu-system-arm") as link:
        for index, one in enumerate(models):
            check(link, index, one)
