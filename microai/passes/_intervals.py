# SPDX-License-Identifier: Apache-2.0
"""The smallest and largest integer that each channel (last axis) can hold, for any input at all."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from microai.bounds import accumulator
from microai.fixedpoint import requantize
from microai.graph import Graph, Node
from microai.op import Const
from microai.ops import (
    LINEAR,
    Activation,
    Add,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    Lookup,
    MaxPool,
    Mul,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Resize,
    Slice,
    Sub,
)
from microai.types import Bools, Ints, QTensor, TensorType

EACH = Add | Mul | Quantize | Relu | Sub
"""Ops that make each pixel of one pixel."""
LARGEST_POOL = 1 << 24  # elements of all windows; a larger pool is not looked into
RISING = Add | AvgPool | Concat | Pad | Quantize | Relu | Reshape | Resize | Slice
"""Ops whose integer rule never falls when an input rises: bounds give bounds."""


class Interval(NamedTuple):
    """What the channels of a tensor stay within, ends included."""

    low: Ints
    high: Ints

    @property
    def constant(self) -> Bools:
        """Which channels hold one value only."""
        same: Bools = self.low == self.high
        return same


Intervals = Mapping[str, Interval]


def intervals(graph: Graph) -> Intervals:
    """Of every integer tensor; what is not understood may hold all that its storage does."""
    known: dict[str, Interval] = {}
    for node in graph.nodes:
        if node.type.quant is None:
            continue
        if isinstance(node.op, Const):
            known[node.name] = _ends([graph.weights[node.name].astype(np.int64)])
        elif node.inputs and all(name in known for name in node.inputs):
            known[node.name] = _of(graph, node, known)
        else:
            known[node.name] = _anything(node.type)
    return known


def _of(graph: Graph, node: Node, known: Intervals) -> Interval:
    op = node.op
    if isinstance(op, LINEAR):
        scaling = accumulator(graph, node)
        assert scaling
        ends = sums(graph, node, known[node.inputs[0]])
        out = node.type.stored
        return Interval(*(requantize(end, scaling.scaling, out, op.clamp) for end in ends))
    if isinstance(op, Activation | Lookup) and graph[node.inputs[0]].type.dtype == "int8":
        return _of_table(graph, node, known[node.inputs[0]])
    if isinstance(op, MaxPool):  # its padding never wins
        return known[node.inputs[0]]
    corners = _corners(graph, node, known)
    if isinstance(op, AvgPool) and node.type.size * math.prod(op.kernel) > LARGEST_POOL:
        return _anything(node.type)
    if not corners:
        return _anything(node.type)
    return _ends([np.asarray(op.run_int(*corner, node.type.stored)) for corner in corners])


def _anything(kind: TensorType) -> Interval:
    channels = kind.shape[-1]
    return Interval(np.full(channels, kind.stored.low), np.full(channels, kind.stored.high))


def _ends(arrays: list[Ints]) -> Interval:
    """The smallest and largest in each channel of all of them."""
    rows = np.concatenate([array.reshape(-1, *array.shape[-1:] or (1,)) for array in arrays])
    return Interval(rows.min(axis=0), rows.max(axis=0))


def _corners(graph: Graph, node: Node, known: Intervals) -> list[list[QTensor]]:
    """Inputs among whose outputs the smallest and the largest are; none where that is unknown."""
    pixel = isinstance(node.op, EACH)
    lows = [_filled(graph, name, known[name].low, pixel=pixel) for name in node.inputs]
    highs = [_filled(graph, name, known[name].high, pixel=pixel) for name in node.inputs]
    if isinstance(node.op, RISING):
        return [lows, highs]
    if isinstance(node.op, Sub):
        return [[lows[0], highs[1]], [highs[0], lows[1]]]
    if isinstance(node.op, Mul):
        return [[a, b] for a in (lows[0], highs[0]) for b in (lows[1], highs[1])]
    return []


def _filled(graph: Graph, name: str, channels: Ints, *, pixel: bool) -> QTensor:
    """A tensor, or one pixel of it, with one value in each channel."""
    kind = graph[name].type
    shape = (1,) * (len(kind.shape) - 1) + kind.shape[-1:] if pixel else kind.shape
    return QTensor(np.broadcast_to(channels, shape), kind.stored)


def _of_table(graph: Graph, node: Node, x: Interval) -> Interval:
    """A function of int8, from all of its values in the interval."""
    quant = graph[node.inputs[0]].type.stored
    every = QTensor(np.arange(quant.low, quant.high + 1), quant)
    table = node.op.run_int(every, node.type.stored)
    runs = [table[a - quant.low : b - quant.low + 1] for a, b in zip(*x, strict=True)]
    return Interval(np.asarray([r.min() for r in runs]), np.asarray([r.max() for r in runs]))


def sums(graph: Graph, node: Node, x: Interval) -> Interval:
    """The smallest and largest accumulator of each output channel of a linear node."""
    w, b = (graph.weights[name].astype(np.int64) for name in node.inputs[1:])
    zero = graph[node.inputs[0]].type.stored.zero
    low, high = x.low - zero, x.high - zero
    if sees_padding(node):  # the real 0, in some places
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    axis = node.op.CHANNEL_AXIS[1] % w.ndim
    others = tuple(i for i in range(w.ndim) if i != axis)
    low, high = (_operand(node, w, end) for end in (low, high))
    smallest = np.where(w > 0, low, high) * w
    largest = np.where(w > 0, high, low) * w
    return Interval(smallest.sum(axis=others) + b, largest.sum(axis=others) + b)


def sees_padding(node: Node) -> bool:
    """Whether a tap of the window may lie outside the image."""
    if isinstance(node.op, Conv | DepthwiseConv):
        return any(node.op.pads)
    return isinstance(node.op, ConvTranspose)


def _operand(node: Node, w: Ints, channels: Ints) -> Ints:
    """What each weight is multiplied with, to broadcast against w."""
    if not isinstance(node.op, Conv):
        return channels
    rows = np.repeat(channels.reshape(node.op.groups, -1), len(w) // node.op.groups, axis=0)
    return rows.reshape(len(w), *(1,) * (w.ndim - 2), w.shape[-1])
