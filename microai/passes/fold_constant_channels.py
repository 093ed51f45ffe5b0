# SPDX-License-Identifier: Apache-2.0
"""What a channel that never changes adds to a sum joins the bias, and needs no weights.

Intervals say which channels those are: filters of zeros, rectifiers that never open.
"""

import numpy as np

from microai.bounds import INT32_MAX
from microai.graph import Graph, Node
from microai.ops import LINEAR
from microai.passes._channels import mixes
from microai.passes._intervals import Interval, intervals, sees_padding, sums
from microai.passes._weights import with_weight
from microai.types import Bools, Ints

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
        x = known[node.inputs[0]]
        layer = _filters(graph, node, known[node.name].constant, sums(graph, node, x))
        if mixes(graph, node):
            layer = _columns(graph, node, x, layer)
        for position, array in enumerate(layer, start=1):
            const = graph[graph[node.name].inputs[position]]
            if not np.array_equal(array, graph.weights[const.name]):
                stored = array.astype(const.type.element)
                graph = with_weight(graph, node.name, position, stored, const.type.quant)
    return graph


def _filters(graph: Graph, node: Node, constant: Bools, reach: Interval) -> Layer:
    """Filters with one output have weights 0, and as bias the smallest sum that gives it."""
    w, b = (graph.weights[name].astype(np.int64) for name in node.inputs[1:])
    bias = np.clip(0, reach.low, reach.high)
    alone = constant & (np.abs(bias) <= INT32_MAX)
    shape = [1] * w.ndim
    shape[node.op.CHANNEL_AXIS[1]] = -1
    return np.where(alone.reshape(shape), 0, w), np.where(alone, bias, b)


def _columns(graph: Graph, node: Node, x: Interval, layer: Layer) -> Layer:
    """Constant inputs in the bias of every filter where it stays in int32."""
    w, b = layer
    value = x.low - graph[node.inputs[0]].type.stored.zero
    foldable = x.constant & ((value == 0) | (not sees_padding(node)))  # outside is the real 0
    bias = b + (w * np.where(foldable, value, 0)).sum(axis=tuple(range(1, w.ndim)))
    fits = np.abs(bias) <= INT32_MAX
    gone = foldable & fits.reshape(-1, *(1,) * (w.ndim - 1))
    return np.where(gone, 0, w), np.where(fits, bias, b)
