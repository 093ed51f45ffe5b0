# SPDX-License-Identifier: Apache-2.0
"""Run a graph by its rules: the reference that every C kernel is compared with.

Nodes that touch integers run by their integer rule, the others by their float rule (torch).
"""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from microai.errors import DeviceError
from microai.graph import Graph, Node
from microai.types import Array, Arrays, Floats, Ints, QTensor, TensorType

BATCH = 64  # samples interpreted together


def interpret(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
    """All tensors of a run, batch first; `inputs` has an array (N, ...) for each Input node."""
    require_rules(graph)
    values: Arrays = {**inputs, **graph.weights}
    for node in graph.steps:
        result = _run(node, graph.types(node), [values[name] for name in node.inputs])
        values[node.name] = result.astype(node.type.dtype)
    return values


def batches(inputs: Mapping[str, Array]) -> Iterator[Arrays]:
    """Inputs (N, ...) in pieces whose activations fit in memory together."""
    for start in range(0, len(next(iter(inputs.values()))), BATCH):
        yield {name: array[start : start + BATCH] for name, array in inputs.items()}


def interpret_only(graph: Graph, inputs: Mapping[str, Array], names: Iterable[str]) -> Arrays:
    """The named tensors of a run over any number of samples; no others are kept."""
    wanted = tuple(names)
    parts = []
    for batch in batches(inputs):
        values = interpret(graph, batch)
        parts.append({name: values[name] for name in wanted})
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


def torch_installed() -> bool:
    """Whether float rules can run."""
    try:
        return importlib.util.find_spec("torch") is not None
    except ValueError:  # a test has put None in its place
        return False


def require_rules(graph: Graph) -> None:
    """Raise DeviceError now where `interpret` would later: float rules need PyTorch."""
    for node in graph.steps:
        if _is_float(node, graph.types(node)) and not torch_installed():
            raise DeviceError(
                f"{node.name} is float32, whose rules need PyTorch: pip install 'microai[torch]'"
            )


def _is_float(node: Node, types: tuple[TensorType, ...]) -> bool:
    return all(t.quant is None for t in (*types, node.type))


def _run(node: Node, types: tuple[TensorType, ...], arrays: list[Array]) -> Ints | Floats:
    if _is_float(node, types):
        return _run_float(node, arrays)
    operands = [_operand(a, t) for a, t in zip(arrays, types, strict=True)]
    return node.op.run_int(*operands, node.type.quant)


def _operand(array: Array, kind: TensorType) -> QTensor | Array:
    return QTensor(array.astype(np.int64), kind.quant) if kind.quant else array


def _run_float(node: Node, arrays: list[Array]) -> Floats:
    import torch

    with torch.no_grad():
        result: Floats = node.op.run_float(*map(torch.from_numpy, arrays)).numpy()
    return result
