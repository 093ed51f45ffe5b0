# SPDX-License-Identifier: Apache-2.0
"""Proofs made from the real weights: no accumulator overflows, no rescale is imprecise.

A sum that may leave int32 is made in 64 bits; beyond 2**53 the rules themselves would not be exact.
"""

import numpy as np

from microai.errors import UnsupportedError
from microai.fixedpoint import LARGEST_SUM
from microai.graph import Graph, Node
from microai.op import Accumulator
from microai.types import Array, QTensor, TensorType

INT32_MAX = (1 << 31) - 1
LARGEST_STEPS = 1 << 62  # of the output: a rescaled sum stays inside int64
LARGEST_ERROR = 1 / 64  # steps that a rounded multiplier may cost


def prove_accumulators(graph: Graph) -> None:
    """Raise UnsupportedError naming every node and channel whose sum or rescale is not exact."""
    faults = [fault for node in graph.steps if node.type.quant for fault in _faults(graph, node)]
    if faults:
        raise UnsupportedError(
            "; ".join(faults)
            + ". Use --scheme f32; or smaller weights, or calibration on other data"
        )


def accumulator(graph: Graph, node: Node) -> Accumulator | None:
    """What an integer node sums up; None where nothing is rescaled."""
    if node.type.quant is None:
        return None
    named = zip(graph.types(node), node.inputs, strict=True)
    operands = [_operand(kind, graph.weights.get(name)) for kind, name in named]
    return node.op.accumulator(*operands, node.type)


def _faults(graph: Graph, node: Node) -> list[str]:
    try:
        sums = accumulator(graph, node)
    except UnsupportedError as error:
        return [f"{node.name}: {error}"]
    if sums is None:
        return []
    worst = int(np.argmax(sums.bound))
    if sums.bound[worst] >= LARGEST_SUM:
        reach = f"channel {worst} can reach {sums.bound[worst]}"
        return [f"{node.name}: {reach}, over the {LARGEST_SUM} that sums may reach"]
    steps = float((sums.bound * np.asarray(sums.ratios)).max())
    if steps >= LARGEST_STEPS:
        return [f"{node.name}: its sums can reach {steps:.3g} steps of the output, over 2**62"]
    finest = np.maximum(1, sums.ratios)  # a term coarser than the output brings its own steps
    errors = sums.bound * sums.scaling.errors(sums.ratios) / finest
    worst = int(np.argmax(errors))
    if errors[worst] > LARGEST_ERROR:
        return [f"{node.name}: channel {worst} would be rescaled {errors[worst]:.3f} steps off"]
    return []


def _operand(kind: TensorType, array: Array | None) -> QTensor | TensorType:
    """Constants with their values, activations as what they may hold."""
    if array is None or kind.quant is None:
        return kind
    return QTensor(array.astype(np.int64), kind.quant)
