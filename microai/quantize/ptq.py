# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: observe ranges, propose storage, settle what ops insist on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from microai.errors import UnsupportedError
from microai.fixedpoint import quantize as to_ints
from microai.graph import Graph, Node, add_const, replace_node
from microai.quantize.bits import within_bits
from microai.quantize.mixed import Schemes, convert, schemes_of
from microai.quantize.observe import Range
from microai.quantize.scheme import Scheme
from microai.quantize.search import best_largest, best_range
from microai.quantize.storage import activation, symmetric
from microai.types import Array, Floats, Quant, TensorType

Quants = dict[str, Quant | None]
"""Storage by tensor; None stays float32."""

BIAS_LIMIT = 1 << 30  # leaves the other half of int32 to the weighted sum


def quantize(
    graph: Graph,
    scheme: Scheme,
    ranges: Mapping[str, Range],
    layers: Mapping[str, Scheme] | None = None,
) -> Graph:
    """The graph in integers; `ranges` says what every input and activation reaches.

    `layers` have schemes of their own, by name; conversions go between.
    """
    graph, schemes = convert(untie_biases(graph), schemes_of(graph, scheme, layers or {}))
    quants = agreed(graph, propose(graph, schemes, ranges))
    quants = agreed(graph, fit_biases(graph, quants))
    return store(within_bits(graph, schemes, quants), quants)


def untie_biases(graph: Graph) -> Graph:
    """A bias shared by several nodes becomes one for each: its scale depends on the node."""
    for node in graph.steps:
        if 2 in node.op.CHANNEL_AXIS and not graph.only_user(node.inputs[2]):
            own = f"{node.name}.{node.inputs[2]}"
            graph = add_const(graph, node.name, own, graph.weights[node.inputs[2]])
            graph = replace_node(graph, replace(node, inputs=(*node.inputs[:2], own)))
    return graph


def propose(graph: Graph, schemes: Schemes, ranges: Mapping[str, Range]) -> Quants:
    """Activations by their observed range, weights by their values; a conversion's range is its
    input's.
    """
    quants: Quants = {}
    for node in (*graph.inputs, *graph.steps):
        limits = ranges[node.name] if node.name in ranges else ranges[node.inputs[0]]
        quants[node.name] = activation(*limits, schemes[node.name])
    for const in graph.consts:
        user = graph.users(const.name)[0]
        array = graph.weights[const.name].astype(np.float64)
        axis = user.op.CHANNEL_AXIS.get(user.inputs.index(const.name))
        quants[const.name] = (
            _operand(array, schemes[user.name])
            if axis is None
            else weight(array, axis % array.ndim, schemes[user.name])
        )
    return quants


def _operand(array: Floats, scheme: Scheme) -> Quant | None:
    """Storage for a constant that an op reads as it reads activations."""
    limits = float(array.min()), float(array.max())
    if scheme.method == "mse":
        limits = best_range(array.ravel(), np.ones(array.size), limits, scheme)
    return activation(*limits, scheme)


def weight(w: Floats, axis: int, scheme: Scheme) -> Quant | None:
    """Symmetric storage, with one scale or one for each index of `axis`."""
    if scheme.weights is None:
        return None
    others = tuple(i for i in range(w.ndim) if i != axis)
    largest = np.abs(w).max(axis=others) if scheme.per_channel else np.abs(w).max().reshape(1)
    if scheme.method == "mse":
        largest = best_largest(w, axis, largest, scheme)
    return symmetric(largest, scheme.weights, axis, scheme)


def fit_biases(graph: Graph, quants: Quants) -> Quants:
    """Widen the weight scale of channels whose bias would leave int32."""
    fitted = dict(quants)
    for node in graph.steps:
        if 2 not in node.op.CHANNEL_AXIS:
            continue
        x, w = quants[node.inputs[0]], fitted[node.inputs[1]]
        if x and w:
            least = np.abs(graph.weights[node.inputs[2]]) / (x.scale[0] * BIAS_LIMIT)
            fitted[node.inputs[1]] = _at_least(w, least)
    return fitted


def _at_least(quant: Quant, least: Floats) -> Quant:
    """The storage with scales no smaller; powers of two stay powers of two."""
    scale = np.asarray(quant.scale)
    least = least if len(scale) > 1 else least.max(keepdims=True)
    if quant.fixed_point:
        least = np.exp2(np.ceil(np.log2(np.maximum(least, 2.0**-60))))
    return replace(quant, scale=tuple(np.maximum(scale, least).tolist()))


def agreed(graph: Graph, quants: Quants) -> Quants:
    """Ask every op what storage it insists on until none objects."""
    for _ in range(len(graph.nodes) + 1):
        settled = dict(quants)
        for node in graph.steps:
            settled.update(_insisted(node, settled))
        if settled == quants:
            return settled
        quants = settled
    raise UnsupportedError("two ops insist on different storage for one tensor")


def _insisted(node: Node, quants: Quants) -> Quants:
    stored = [quants[name] for name in (*node.inputs, node.name)]
    if None in stored:
        return {}
    wish = node.op.storage(*stored)
    insisted: Quants = {node.inputs[i]: quant for i, quant in wish.inputs.items()}
    return {**insisted, **({node.name: wish.out} if wish.out else {})}


def store(graph: Graph, quants: Quants) -> Graph:
    """The graph with every type integer and every weight stored."""
    nodes = tuple(replace(n, type=TensorType(n.type.shape, quants[n.name])) for n in graph.nodes)
    weights = {name: stored(array, quants[name]) for name, array in graph.weights.items()}
    return replace(graph, nodes=nodes, weights=weights)


def stored(array: Array, quant: Quant | None) -> Array:
    """The array's integers; -low is not used where zero is 0, so |q| <= high."""
    if quant is None:
        return array
    ints = to_ints(array.astype(np.float64), quant)
    stored = TensorType(array.shape, quant).element
    return (ints if quant.zero else np.maximum(ints, -quant.high)).astype(stored)
