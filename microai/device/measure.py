# SPDX-License-Identifier: Apache-2.0
"""Run every sample on a target: outputs, layers, instruction counts, stack."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from microai.board import Board
from microai.device import session
from microai.device.protocol import Link
from microai.device.qemu import instructions
from microai.errors import Tell
from microai.render import Compiled
from microai.types import Array, Arrays

T = TypeVar("T")

PROGRESS_S = 3.0


@dataclass(frozen=True)
class Measured:
    """What came back: outputs of every sample, layers of the stepped ones, the largest counts."""

    outputs: Arrays
    layers: Arrays
    instructions: int
    layer_instructions: tuple[int, ...]
    stack_bytes: int


def measure(
    link: Link, compiled: Compiled, inputs: Mapping[str, Array], board: Board, tell: Tell,
    stepped: int,
) -> Measured:  # fmt: skip
    """Inputs (N, ...) in the graph's storage through the target, one by one."""
    session.select(link, compiled)
    nothing = link.nothing()
    outputs, counts, steps = [], [], []
    samples = list(session.samples(inputs))
    for sample in paced(samples, "samples", tell):
        values, ticks = session.infer(link, compiled, sample)
        outputs.append(values)
        counts.append(instructions(ticks, nothing, board))
    stack_bytes = link.stack_peak()
    for sample in paced(samples[:stepped], "samples layer by layer", tell):
        steps.append(session.infer_steps(link, compiled, sample))
    ticks = np.max([step.ticks for step in steps], axis=0)
    return Measured(
        outputs=_stacked(outputs),
        layers=_stacked([step.values for step in steps]),
        instructions=max(counts),
        layer_instructions=tuple(instructions(int(t), nothing, board) for t in ticks),
        stack_bytes=stack_bytes,
    )


def paced(items: Sequence[T], what: str, tell: Tell) -> Iterator[T]:
    """The items, with a line of progress and the time left now and then."""
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last > PROGRESS_S:
            left = (now - start) / done * (len(items) - done)
            tell(f"ran {done} of {len(items)} {what}, {left:.0f} s left")
            last = now
        yield item


def _stacked(values: list[Arrays]) -> Arrays:
    """Single samples as one array for each name."""
    return {name: np.concatenate([v[name] for v in values]) for name in values[0]}
