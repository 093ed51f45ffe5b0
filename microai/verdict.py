# SPDX-License-Identifier: Apache-2.0
"""Is what came back right: against the reference, and against the labels."""

from collections.abc import Mapping

import numpy as np

from microai.graph import Graph
from microai.interpret import interpret
from microai.report import Metric
from microai.types import Array

FLOAT_TOLERANCE = 1e-5  # of a layer's largest value


def mismatches(found: Mapping[str, Array], reference: Mapping[str, Array]) -> int:
    """How many elements of the found tensors differ from the reference's first rows.

    Integers must be equal; float32 may differ by 1e-5 of the tensor's largest value.
    """
    return sum(_differing(array, reference[name][: len(array)]) for name, array in found.items())


def _differing(found: Array, expected: Array) -> int:
    if found.dtype.kind == "i":
        return int((found != expected).sum())
    limit = FLOAT_TOLERANCE * float(np.abs(expected).max())
    return int((~(np.abs(found.astype(np.float64) - expected) <= limit)).sum())


def accuracy(
    graph: Graph, inputs: Mapping[str, Array] | None, outputs: Array, labels: Array
) -> Metric:
    """Share of samples whose largest output is the label's; `inputs` None: no float network."""
    reference = None
    if inputs is not None:
        reference = _share(interpret(graph, inputs)[graph.outputs[0]], labels)
    return Metric("accuracy", reference, _share(outputs, labels))


def _share(scores: Array, labels: Array) -> float:
    return float((scores.reshape(len(scores), -1).argmax(axis=1) == labels).mean())
