# SPDX-License-Identifier: Apache-2.0
"""The page of benchmarks, of a small network of its own."""

from pathlib import Path

import pytest

from microai import benchmarks
from microai.backends import kernels
from microai.benchmarks import Benchmark, Peer, Result, page
from microai.board import emulated, load_board
from microai.facts import total_macs
from microai.job import Job
from tests.graphs import quantized

BOARDS = [emulated(load_board(name)) for name in ("l4r5", "stm32l4")]


@pytest.mark.qemu
def test_a_page_of_one_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A table for each board with preferences, the tuned choice and peers where they compare."""
    one = Benchmark("small", lambda _: quantized("shared"), (Peer("other", 1000, 7.5),))
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (one,))
    jobs = [Job(board) for board in BOARDS]
    results = list(benchmarks.run(jobs, kernels(), tmp_path, lambda _: None))
    text = page(results, "gcc 12")
    assert text.count("### small") == text.count("| tuned |") == 2
    first, second = text.split("## NUCLEO-L452RE-P")
    assert "| *other* | 1,000 |" in first
    assert "| 7.5 |" in first
    assert "7.5" not in second  # another board's milliseconds
    tuned = results[0].chosen.found
    assert f"{tuned.cycles:,}" in first
    assert f"{results[0].macs / tuned.cycles:.2f}" in first
    assert "NUCLEO-L4R5ZI at 120 MHz, 5 wait states" in first
    assert str(BOARDS[0].checked.what) in first


def test_what_does_not_fit_is_said() -> None:
    """In the place of its table."""
    one = Benchmark("large", lambda _: quantized("residual"))
    assert "is too large" in page([Result(one, BOARDS[0], 5, 5, None, "it is too large")], "gcc")


def test_what_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the file that is missed and how to give its folder."""
    monkeypatch.setattr(benchmarks, "BENCHMARKS", benchmarks.BENCHMARKS[:1])
    said: list[str] = []
    assert not list(benchmarks.run([Job(BOARDS[0])], kernels(), tmp_path, said.append))
    assert said[0].startswith(f"left out: {tmp_path}/models/tiny__pretrainedResnet_quant.tflite")
    assert "--data-dir" in said[0]


@pytest.mark.parametrize("benchmark", benchmarks.BENCHMARKS[4:], ids=lambda one: one.name)
def test_networks_of_our_own_are_those_that_are_named(benchmark: Benchmark, tmp_path) -> None:
    """MACs as published: 13 F^2 + ... for the ResNet, 3.08 million for the strided one."""
    known = {"16": 333_920, "80": 7_240_160, "CIFAR": 3_082_240}
    found = total_macs(benchmark.graph(tmp_path))
    words = benchmark.name.replace(",", "").split()
    assert found in [known[word] for word in words if word in known]
