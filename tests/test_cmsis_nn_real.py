# SPDX-License-Identifier: Apache-2.0
"""The library that CMSIS_NN_PATH names: exact on all cases and networks, and what it costs."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from microai.backend import Kernel
from microai.backends import BACKENDS, kernels
from microai.backends.cmsis_nn import cmsis_nn
from microai.backends.portable import PORTABLE
from microai.board import emulated, load_board
from microai.device.build import Firmware, build
from microai.device.measure import Measured, measure
from microai.device.qemu import connect
from microai.examples.resnet import ResNetv1_6
from microai.frontends.torch import import_module
from microai.graph import Graph
from microai.interpret import interpret
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.render import Compiled, render_harness
from microai.samples import stored
from microai.types import Array
from tests.graphs import samples
from tests.ladder import CALLED, check, in_qemu, trials
from tests.library import REAL, UNTESTED, real
from tests.test_cli import Result


@cache
def warn() -> None:
    """Once."""
    print(f"\n{UNTESTED}")


@pytest.fixture
def installed(capsys):
    """The real library, or a loud skip."""
    if not REAL:
        with capsys.disabled():
            warn()
        pytest.skip(UNTESTED)
    return real()


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("scheme", [scheme for scheme, _ in CALLED])
def test_the_real_library_equals_integers(scheme, installed, qemu, tmp_path, capsys) -> None:
    """The ladder's fourth rung with what the user installed, assertions on."""
    cases = trials(scheme, "cmsis_nn", installed)
    failures = []
    with in_qemu(list(cases.values()), tmp_path, qemu) as link:
        for index, (name, one) in enumerate(cases.items()):
            try:
                check(link, index, one)
            except AssertionError as error:
                failures.append(f"{name}: {error}")
    with capsys.disabled():
        print(f"\n{qemu}: {installed.description}, {scheme}: {len(cases)} cases")
    assert not failures, "\n".join(failures)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int8", "int16x8", "qmn8"])
def test_the_real_library_runs_the_papers_network(scheme, installed, tmp_path, capsys) -> None:
    """Exact in every layer; with what each layer costs beside our own kernels."""
    torch.manual_seed(0)
    graph = import_module(ResNetv1_6((9, 128), 6, 16), (torch.zeros(1, 9, 128),))
    reals = samples(graph, 4)
    graph = quantize_graph(graph, SCHEMES[scheme], reals)
    orders = [(cmsis_nn(installed), *BACKENDS), BACKENDS, (PORTABLE,)]
    runs = [deployed(graph, kernels(order), reals, tmp_path / str(i))
            for i, order in enumerate(orders)]  # fmt: skip
    assert {c.kernel.backend for c in runs[0][0].choices.values()} >= {"cmsis_nn", "portable"}
    with capsys.disabled():
        print(f"\n{installed.description}, {scheme}: instructions")
        for step, node in enumerate(graph.steps):
            cells = [(compiled.choices[node.name].kernel.backend, found.layer_instructions[step])
                     for compiled, _, found in runs]  # fmt: skip
            print(f"{node.name:16}", *(f"{name:>10} {count:>8,}" for name, count in cells))
        print(f"{'inference':16}", *(f"{found.instructions:>19,}" for _, _, found in runs))
        print(f"{'flash B':16}", *(f"{image.flash_bytes:>19,}" for _, image, _ in runs))
        print(f"{'arena B':16}", *(f"{compiled.plan.arena_bytes:>19,}" for compiled, _, _ in runs))


def deployed(
    graph: Graph, order: Sequence[Kernel], reals: Mapping[str, Array], folder: Path
) -> tuple[Compiled, Firmware, Measured]:
    """In QEMU, on two samples, compared with the rules."""
    compiled = compile_graph(graph, kernels=order)
    fed = stored(compiled.graph, {name: values[:2] for name, values in reals.items()})
    board = emulated(load_board("stm32l4"))
    sources = {**compiled.sources, **render_harness([compiled])}
    image = build(sources, board, folder, compiled.libraries)
    with connect(image.elf, board) as link:
        found = measure(link, compiled, fed, board, lambda _: None, 2)
    reference = interpret(compiled.graph, fed)
    for name, values in {**found.outputs, **found.layers}.items():
        np.testing.assert_array_equal(values, reference[name])
    return compiled, image, found


@pytest.mark.qemu
@pytest.mark.slow
def test_the_real_library_runs_the_example(installed, tmp_path) -> None:
    """The command a user types; the report names the library."""
    result = Result("deploy", "--emulate", "--json", "--out", str(tmp_path),
                    "--cmsis-nn", str(REAL), "--backend", "cmsis_nn,simd,portable")  # fmt: skip
    assert result.code == 0
    report = json.loads(result.stdout)
    assert report["mismatches"] == 0
    assert report["libraries"] == [installed.description]
    assert {layer["kernel"].partition("/")[0] for layer in report["layers"]} == {
        "cmsis_nn", "simd", "portable"
    }  # fmt: skip
