# SPDX-License-Identifier: Apache-2.0
"""Run a graph by its rules: the reference that every C kernel is compared with.

Nodes that touch integers run by their integer rule, the others by their float rule (torch).
"""

from collections.abc import Mapping

import numpy as np

from microai.errors import DeviceError
from microai.graph import Graph, Node
from microai.types import Array, Arrays, Floats, Ints, QTensor, TensorType


def interpret(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
    """All tensors of a run, batch first; `inputs` has an array (N, ...) for each Input node."""
    values: Arrays = {**inputs, **graph.weights}
    for node in graph.steps:
        result = _run(node, graph.types(node), [values[name] for name in node.inputs])
        values[node.name] = result.astype(node.type.dtype)
    return values


def _run(node: Node, types: tuple[TensorType, ...], arrays: list[Array]) -> Ints | Floats:
    if all(t.quant is None for t in (*types, node.type)):
        return _run_float(node, arrays)
    operands = [_operand(a, t) for a, t in zip(arrays, types, strict=True)]
    return node.op.run_int(*operands, node.type.quant)


def _operand(array: Array, kind: TensorType) -> QTensor | Array:
    return QTensor(array.astype(np.int64), kind.quant) if kind.quant else array


def _run_float(node: Node, arrays: list[Array]) -> Floats:
    try:
        import torch
    except ModuleNotFoundError:
        raise DeviceError(
            f"{node.name} is float32, whose rules need PyTorch: pip install 'microai[torch]'"
        ) from None
    with torch.no_grad():
        result: Floats = node.op.run_float(*map(torch.from_numpy, arrays)).numpy()
    return result
