# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: observe ranges, propose storage, settle what ops insist on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from microai.errors import UnsupportedError
from microai.fixedpoint import quantize as to_ints
from microai.graph import Graph, Node, add_const, replace_node
from microai.quantize.mixed import Schemes, convert, schemes_of
from microai.quantize.observe import Range
from microai.quantize.scheme import Scheme
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
    return store(graph, agreed(graph, fit_biases(graph, quants)))


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
            activation(array.min(), array.max(), schemes[user.name])
            if axis is None
            else weight(array, axis % array.ndim, schemes[user.name])
        )
    return quants


def activation(low: float, high: float, scheme: Scheme) -> Quant | None:
    """Storage for values from low to high."""
    if scheme.activations is None:
        return None
    if scheme.kind == "affine":
        return replace(affine(low, high, scheme.activations), rounding=scheme.rounding)
    scale = _scales(np.asarray([max(abs(low), abs(high))]), scheme.activations, scheme)
    return Quant(scheme.activations, scale, rounding=scheme.rounding)


def weight(w: Floats, axis: int, scheme: Scheme) -> Quant | None:
    """Symmetric storage, with one scale or one for each index of `axis`."""
    if scheme.weights is None:
        return None
    others = tuple(i for i in range(w.ndim) if i != axis)
    largest = np.abs(w).max(axis=others) if scheme.per_channel else np.abs(w).max().reshape(1)
    scale = _scales(largest, scheme.weights, scheme)
    return Quant(scheme.weights, scale, axis=axis, rounding=scheme.rounding)


def _scales(largest: Floats, dtype: str, scheme: Scheme) -> tuple[float, ...]:
    """A scale for each largest magnitude.

    A channel of zeros takes the tensor's largest scale: it must not cost the others precision.
    """
    if scheme.fraction_bits is not None:
        return (2.0**-scheme.fraction_bits,) * len(largest)
    limit = Quant(dtype, (1.0,)).high
    scale = np.exp2(qmn_exponents(largest, dtype)) if scheme.kind == "qmn" else largest / limit
    scale[largest == 0] = scale[largest > 0].max(initial=0) or 1 / (limit + 1)
    return tuple(scale.tolist())


def qmn_exponents(largest: Floats, dtype: str) -> Floats:
    """-n of the Qm.n that holds each magnitude: m = 1 + floor(log2 max|x|), n = bits - m - 1."""
    bits = Quant(dtype, (1.0,)).high.bit_length()
    exponents: Floats = np.frexp(np.maximum(largest, 2.0**-60))[1] - float(bits)
    return exponents


def affine(low: float, high: float, dtype: str) -> Quant:
    """The whole range of `dtype` on low..high, with 0 among the values."""
    low, high = min(low, 0.0), max(high, 0.0)
    limits = Quant(dtype, (1.0,))
    if low == high:
        return limits
    scale = float(np.float32((high - low) / (limits.high - limits.low)))
    zero = limits.low + int(to_ints(np.asarray(-low), Quant("int32", (scale,))))
    return Quant(dtype, (scale,), min(zero, limits.high))


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
