# SPDX-License-Identifier: Apache-2.0
"""Is what came back right: against the reference, and against the labels."""

from collections.abc import Mapping

import numpy as np

from microai.graph import Graph
from microai.interpret import interpret_only
from microai.report import Metric
from microai.samples import indices_of
from microai.types import Array

FLOAT_TOLERANCE = 1e-5  # of a layer's largest value


def mismatches(graph: Graph, inputs: Mapping[str, Array], found: Mapping[str, Array]) -> int:
    """How many elements of the found tensors (the first samples') differ from the rules."""
    return sum(differing(graph, inputs, found).values())


def differing(
    graph: Graph, inputs: Mapping[str, Array], found: Mapping[str, Array]
) -> dict[str, int]:
    """How many elements of each found tensor (the first samples') differ from the rules.

    Integers must be equal; float32 may differ by 1e-5 of the tensor's largest value.
    """
    count = len(next(iter(found.values())))
    first = {name: array[:count] for name, array in inputs.items()}
    reference = interpret_only(graph, first, found)
    return {name: unequal(array, reference[name]) for name, array in found.items()}


def unequal(found: Array, expected: Array) -> int:
    """How many elements differ: integers at all, float32 by more than the tolerance."""
    if found.dtype.kind == "i":
        return int((found != expected).sum())
    limit = FLOAT_TOLERANCE * float(np.abs(expected).max())
    return int((~(np.abs(found.astype(np.float64) - expected) <= limit)).sum())


def accuracy(
    graph: Graph, inputs: Mapping[str, Array] | None, outputs: Array, labels: Array
) -> Metric:
    """Share of samples whose largest output, or index, is the label's; `inputs` None: no float
    network.
    """
    indices = indices_of(graph) is not None
    reference = None
    if inputs is not None:
        reference = judged(graph, inputs, labels)
    return Metric("accuracy", reference, share_correct(outputs, labels, indices=indices))


def judged(graph: Graph, inputs: Mapping[str, Array], labels: Array) -> float:
    """The share of samples that a graph's rules get right; inputs (N, ...) as it stores them."""
    scores = interpret_only(graph, inputs, graph.outputs)[graph.outputs[0]]
    return share_correct(scores, labels, indices=indices_of(graph) is not None)


def share_correct(outputs: Array, labels: Array, *, indices: bool) -> float:
    """Share of samples whose largest score, or index, is the label's."""
    rows = outputs.reshape(len(outputs), -1)
    found = rows[:, 0] if indices else rows.argmax(axis=1)
    return float((found == labels).mean())
