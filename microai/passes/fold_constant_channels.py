# SPDX-License-Identifier: Apache-2.0
"""What a channel that never changes adds to a sum joins the bias, and needs no weights.

Intervals say which channels those are: filters of zeros, rectifiers that never open.
"""

from dataclasses import replace

import numpy as np

from microai.bounds import INT32_MAX, accumulator
from microai.fixedpoint import Scaling, half_up, requantize
from microai.graph import Graph, Node
from microai.ops import LINEAR
from microai.passes._channels import mixes
from microai.passes._intervals import Interval, Intervals, intervals, sees_padding, sums
from microai.passes._weights import with_weight
from microai.types import Bools, Ints, Quant

Layer = tuple[Ints, Ints]
"""Weights and bias."""


def fold_constant_channels(graph: Graph) -> Graph:
    """Integer layers read no constant channel, and make constant ones by a bias alone.

    Every value of every tensor stays.
    """
    known = intervals(graph)
    for node in graph.steps:
        if not isinstance(node.op, LINEAR) or node.type.quant is None:
            continue
        layer, rescaled = _filters(graph, node, known)
        if mixes(graph, node):
            layer = _columns(graph, node, known[node.inputs[0]], layer)
        graph = _stored(graph, node, layer, rescaled)
    return graph


def _filters(graph: Graph, node: Node, known: Intervals) -> tuple[Layer, Bools]:
    """Filters with one output have weights 0 and a bias that gives it; and which of them take the
    layer's largest scale.
    """
    w, b = (graph.weights[name].astype(np.int64) for name in node.inputs[1:])
    constant = known[node.name].constant
    reach = sums(graph, node, known[node.inputs[0]])
    smallest = np.clip(0, reach.low, reach.high)
    bias, fits = _coarse(graph, node, known[node.name].low)
    rescaled = constant & fits
    alone = rescaled | (constant & (np.abs(smallest) <= INT32_MAX))
    shape = [1] * w.ndim
    shape[node.op.CHANNEL_AXIS[1]] = -1
    b = np.where(rescaled, bias, np.where(alone, smallest, b))
    return (np.where(alone.reshape(shape), 0, w), b), rescaled


def _coarse(graph: Graph, node: Node, values: Ints) -> tuple[Ints, Bools]:
    """A bias at the largest scale for each output value, and whether it gives that value.

    Converters store filters of zeros with scales near 0: their biases leave kernels no room.
    """
    assert isinstance(node.op, LINEAR)
    found, out = accumulator(graph, node), node.type.stored
    assert found
    middle = values - out.zero + (0.5 if out.rounding == "floor" else 0)
    exact = half_up(middle / max(found.ratios))
    bias = np.clip(exact, -INT32_MAX, INT32_MAX).astype(np.int64)
    scaling = Scaling((max(found.scaling.multipliers),), found.scaling.shift)
    fits: Bools = requantize(bias, scaling, out, node.op.clamp) == values
    return bias, fits


def _columns(graph: Graph, node: Node, x: Interval, layer: Layer) -> Layer:
    """Constant inputs in the bias of every filter where it stays in int32."""
    w, b = layer
    value = x.low - graph[node.inputs[0]].type.stored.zero
    foldable = x.constant & ((value == 0) | (not sees_padding(node)))  # outside is the real 0
    bias = b + (w * np.where(foldable, value, 0)).sum(axis=tuple(range(1, w.ndim)))
    fits = np.abs(bias) <= INT32_MAX
    gone = foldable & fits.reshape(-1, *(1,) * (w.ndim - 1))
    return np.where(gone, 0, w), np.where(fits, bias, b)


def _stored(graph: Graph, node: Node, layer: Layer, rescaled: Bools) -> Graph:
    """The graph with the layer's weights, bias and scales."""
    for position, array in enumerate(layer, start=1):
        const = graph[graph[node.name].inputs[position]]
        quant = _rescaled(const.type.stored, rescaled)
        if quant != const.type.quant or not np.array_equal(array, graph.weights[const.name]):
            stored = array.astype(const.type.element)
            graph = with_weight(graph, node.name, position, stored, quant)
    return graph


def _rescaled(quant: Quant, rescaled: Bools) -> Quant:
    """With the largest scale for some filters."""
    if len(quant.scale) == 1:
        return quant
    scale = np.where(rescaled, max(quant.scale), quant.scale)
    return replace(quant, scale=tuple(scale.tolist()))
