# SPDX-License-Identifier: Apache-2.0
"""Samples as a graph takes them: arranged, normalized, stored.

They may come in the model's own layout or as deployed (channels last); where both have the same
shape it is the model's own.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from microai.errors import UsageError
from microai.fixedpoint import dequantize, quantize
from microai.graph import Graph, Node, replace_node
from microai.op import Input
from microai.ops import ArgMax, Reshape
from microai.types import Array, Arrays, QTensor, Quant


def samples_of(graph: Graph, arrays: Mapping[str, Array], path: Path) -> Arrays:
    """The graph's inputs (N, ...), channels last: by name, a single one also as X."""
    names = {n.name: n for n in graph.inputs}
    if len(names) == 1 and ("X" in arrays or not set(names) & set(arrays)):
        names = {"X": graph.inputs[0]}
    if missing := [name for name in names if name not in arrays]:
        raise UsageError(f"{path}: no array {missing[0]!r}; it has {', '.join(arrays) or 'none'}")
    samples = {node.name: _arranged(node, name, arrays[name], path) for name, node in names.items()}
    counts = {len(array) for array in samples.values()}
    if 0 in counts:
        raise UsageError(f"{path}: {next(iter(names))} is empty")
    if len(counts) > 1:
        raise UsageError(f"{path}: inputs have {sorted(counts)} samples, expected as many of each")
    return samples


def _arranged(node: Node, name: str, array: Array, path: Path) -> Array:
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{path}: {name} is {array.dtype}, expected numbers")
    own = own_shape(node)
    if array.shape[1:] == own[1:]:
        axes = node.op.axes if isinstance(node.op, Input) else ()
        return np.ascontiguousarray(array.transpose(axes) if axes else array)
    if array.shape[1:] == node.type.shape[1:]:
        return array
    for shape in (own, node.type.shape):  # axes of size 1 may be left out
        if _whole(array.shape[1:]) == _whole(shape[1:]):
            return _arranged(node, name, array.reshape(len(array), *shape[1:]), path)
    layouts = dict.fromkeys((own[1:], node.type.shape[1:]))
    expected = " or, as deployed, ".join(f"({', '.join(['N', *map(str, s)])})" for s in layouts)
    raise UsageError(f"{path}: {name} has shape {array.shape}, expected {expected}")


def _whole(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def own_shape(node: Node) -> tuple[int, ...]:
    """An input's shape in the model's own layout."""
    axes = node.op.axes if isinstance(node.op, Input) else ()
    own = list(node.type.shape)
    for deployed, axis in enumerate(axes):
        own[axis] = node.type.shape[deployed]
    return tuple(own)


def labels_of(graph: Graph, arrays: Mapping[str, Array], path: Path) -> Array | None:
    """Class numbers: the array y, or `labels` where an input is called y; None without."""
    name = "labels" if any(node.name == "y" for node in graph.inputs) else "y"
    labels = arrays.get(name)
    if labels is None:
        return None
    count = len(arrays["X" if "X" in arrays else graph.inputs[0].name])
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        found = f"{labels.dtype} {labels.shape}"
        raise UsageError(f"{path}: {name} is {found}, expected ({count},) integers")
    if len(graph.outputs) > 1:
        return labels
    indices = indices_of(graph)
    output = graph[graph.outputs[0]].type
    if indices and output.size > 1:
        raise UsageError(
            f"{path}: {name} has one class for each sample, the network gives {output.size}; "
            "leave it out"
        )
    classes = graph.types(indices)[0].size if indices else output.size
    if not (labels.min() >= 0 and labels.max() < classes):
        spread = f"{labels.min()}..{labels.max()}"
        raise UsageError(f"{path}: {name} holds {spread}, the network has classes 0..{classes - 1}")
    return labels


def indices_of(graph: Graph) -> Node | None:
    """The ArgMax that makes the graph's first output; None where the output is scores."""
    node = graph[graph.outputs[0]]
    while isinstance(node.op, Reshape):
        node = graph[node.inputs[0]]
    return node if isinstance(node.op, ArgMax) else None


def with_statistics(graph: Graph, samples: Mapping[str, Array]) -> Graph:
    """The graph whose inputs say what z-score the caller applies, one for each last index."""
    for node in graph.inputs:
        array = samples[node.name].astype(np.float64).reshape(-1, node.type.shape[-1])
        std = array.std(axis=0)
        std[std == 0] = 1
        assert isinstance(node.op, Input)
        op = replace(node.op, mean=_singles(array.mean(axis=0)), std=_singles(std))
        graph = replace_node(graph, replace(node, op=op))
    return graph


def _singles(values: Array) -> tuple[float, ...]:
    return tuple(values.astype(np.float32).tolist())


def normalized(graph: Graph, samples: Mapping[str, Array]) -> Arrays:
    """Samples as float32 after each input's own z-score."""
    return {node.name: _normalize(node, samples[node.name]) for node in graph.inputs}


def _normalize(node: Node, array: Array) -> Array:
    assert isinstance(node.op, Input)
    mean, std = (np.asarray(v, np.float32) for v in (node.op.mean, node.op.std))
    with np.errstate(over="ignore"):
        reals = ((array.astype(np.float32) - mean) / std).astype(np.float32)
    if not np.isfinite(reals).all():
        raise UsageError(f"input {node.name}: samples leave float32's range; scale them down")
    return reals


def stored(graph: Graph, reals: Mapping[str, Array]) -> Arrays:
    """Real inputs as the graph stores them."""
    return {
        n.name: quantize(reals[n.name], n.type.quant).astype(n.type.dtype)
        if n.type.quant
        else reals[n.name]
        for n in graph.inputs
    }


def real(node: Node, array: Array) -> Array:
    """A node's tensor, as stored, as real numbers."""
    quant = node.type.quant
    return dequantize(QTensor(array.astype(np.int64), quant)) if quant else array


def spread(size: int, count: int) -> Array:
    """`count` indices from the whole range, or all of them."""
    return np.linspace(0, size - 1, min(size, count)).astype(np.int64)


def raw(graph: Graph, samples: Mapping[str, Array]) -> Arrays:
    """Samples that already are in the graph's storage, checked."""
    for node in graph.inputs:
        array, quant = samples[node.name], node.type.quant
        if quant and array.dtype.kind not in "iu":
            raise UsageError(
                f"input {node.name} is {array.dtype}, this network takes {quant.dtype}: "
                f"{_formula(node, quant)}"
            )
        if quant and not (quant.low <= array.min() and array.max() <= quant.high):
            unsigned = "; where the model takes unsigned integers, subtract " + str(-quant.low)
            hint = unsigned if array.min() >= 0 else ""
            raise UsageError(f"input {node.name} leaves {quant.low}..{quant.high}{hint}")
    with np.errstate(over="ignore"):
        stored_samples = {n.name: samples[n.name].astype(n.type.dtype) for n in graph.inputs}
    for name, array in stored_samples.items():
        if not np.isfinite(array).all():
            raise UsageError(f"input {name}: samples leave float32's range; scale them down")
    return stored_samples


def _formula(node: Node, quant: Quant) -> str:
    """How a real number becomes what the input stores."""
    assert isinstance(node.op, Input)
    x = "((x - mean) / std)" if node.op.normalized else "x"
    half = " + 0.5" if quant.rounding == "nearest" else ""
    rounded = f"floor({x} / {quant.scale[0]:.9g}{half}) + {quant.zero}"
    return f"q = {rounded}, limited to {quant.low}..{quant.high}"
