# SPDX-License-Identifier: Apache-2.0
"""Send samples to a harness, get every output back: the same for host, emulator and board."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from microai.device.protocol import Link
from microai.graph import Node
from microai.render import Compiled
from microai.save import model_id
from microai.types import Array, Arrays


@dataclass(frozen=True)
class Steps:
    """One sample run step by step: every activation, and the ticks of each step."""

    values: Arrays
    ticks: tuple[int, ...]


def select(link: Link, compiled: Compiled, index: int = 0) -> None:
    """Make the target ready for this model."""
    link.hello()
    link.select(index, model_id(compiled.graph))


def samples(inputs: Mapping[str, Array]) -> Iterator[Arrays]:
    """Inputs (N, ...) one by one, each still with its batch axis."""
    for i in range(len(next(iter(inputs.values())))):
        yield {name: array[i : i + 1] for name, array in inputs.items()}


def infer(link: Link, compiled: Compiled, sample: Mapping[str, Array]) -> tuple[Arrays, int]:
    """The outputs of one sample, and the ticks of the inference."""
    _feed(link, compiled, sample)
    ticks = link.run()
    nodes = [compiled.graph[name] for name in compiled.graph.outputs]
    return {node.name: _fetch(link, compiled, node) for node in nodes}, ticks


def infer_steps(link: Link, compiled: Compiled, sample: Mapping[str, Array]) -> Steps:
    """All activations of one sample, each read before a later step may overwrite it."""
    _feed(link, compiled, sample)
    values: Arrays = {}
    ticks = []
    for index, node in enumerate(compiled.graph.steps):
        ticks.append(link.step(index))
        values[node.name] = _fetch(link, compiled, node)
    return Steps(values, tuple(ticks))


def _feed(link: Link, compiled: Compiled, sample: Mapping[str, Array]) -> None:
    for node in compiled.graph.inputs:
        array = np.ascontiguousarray(sample[node.name], dtype=node.type.dtype)
        link.write(compiled.plan.offsets[node.name], array.tobytes())


def _fetch(link: Link, compiled: Compiled, node: Node) -> Array:
    data = link.read(compiled.plan.offsets[node.name], node.type.bytes)
    array: Array = np.frombuffer(data, node.type.dtype).reshape(node.type.shape)
    return array
