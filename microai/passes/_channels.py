# SPDX-License-Identifier: Apache-2.0
"""Which channels come and go together: the last axis of every tensor, weights excepted."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from microai.graph import Graph, Node
from microai.op import Input
from microai.ops import (
    Activation,
    Add,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dequantize,
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
from microai.types import Bools, Ints

Keep = Mapping[str, Bools]
"""For some tensors: which channels to keep."""
Tie = tuple[Ints, Ints]
"""Two runs of channel numbers; each channel of one stays as long as its partner."""

CHANNELWISE = (
    Activation | Add | AvgPool | Dequantize | DepthwiseConv | Lookup | MaxPool | Mul | Quantize
    | Relu | Resize | Sub
)  # fmt: skip
"""Ops in which channel c of every input makes channel c of the output."""
MIXING = Conv | ConvTranspose | Dense
"""Ops in which every output channel is a sum over the input's."""


@dataclass(frozen=True)
class Channels:
    """Every channel of every tensor has a number; `pinned` ones cannot go."""

    numbers: Mapping[str, Ints]
    ties: tuple[Tie, ...]
    pinned: Ints

    @classmethod
    def of(cls, graph: Graph) -> "Channels":
        """Numbered in the order of the nodes."""
        counts = [math.prod(node.type.shape[-1:]) for node in graph.nodes]
        starts = np.cumsum([0, *counts])
        numbers = {
            node.name: np.arange(start, start + count)
            for node, start, count in zip(graph.nodes, starts, counts, strict=False)
        }
        ties: list[Tie] = []
        fixed = {*graph.outputs, *(n.name for n in graph.nodes if isinstance(n.op, Input))}
        for node in graph.steps:
            found = list(_ties(graph, node, numbers))
            ties += found
            fixed |= {node.inputs[i] for i in node.op.CHANNEL_AXIS}
            if not found and not mixes(graph, node):
                fixed |= {node.name, *node.inputs}
        pinned = [numbers[name] for name in numbers if name in fixed]
        return cls(numbers, tuple(ties), np.concatenate(pinned))

    def flags(self, keep: Keep) -> Bools:
        """Kept channels by number; tensors that are not named keep what the named ones need."""
        flags = np.zeros(sum(map(len, self.numbers.values())), np.bool_)
        flags[self.pinned] = True
        for name, kept in keep.items():
            flags[self.numbers[name]] |= kept
        return flags

    def named(self, flags: Bools) -> dict[str, Bools]:
        """The same by tensor."""
        return {name: flags[numbers] for name, numbers in self.numbers.items()}

    def closed(self, flags: Bools, multiple: int = 1) -> Bools:
        """As few more as ties need, until every tensor has a multiple of channels, or all it had;
        none is left without.
        """
        flags, before = self.tied(flags), -1
        while before != (before := int(flags.sum())):  # a Concat's parts may need more again
            for numbers in self.numbers.values():
                removed = numbers[~flags[numbers]]
                count = len(numbers) - len(removed)
                more = -count % multiple if count else multiple
                if len(removed) and more:
                    flags[removed[:more]] = True
                    flags = self.tied(flags)
        return flags

    def tied(self, flags: Bools) -> Bools:
        """As few more as ties need."""
        flags, before = flags.copy(), -1
        while before != (before := int(flags.sum())):
            for one, other in self.ties:
                flags[other[flags[one]]] = True
                flags[one[flags[other]]] = True
        return flags


def mixes(graph: Graph, node: Node) -> bool:
    """Whether input and output channels of a node go independently: it has the weights for it."""
    grouped = isinstance(node.op, Conv) and node.op.groups > 1
    return isinstance(node.op, MIXING) and not grouped and _has_weights(graph, node)


def _has_weights(graph: Graph, node: Node) -> bool:
    return all(node.inputs[i] in graph.weights for i in node.op.CHANNEL_AXIS)


def _ties(graph: Graph, node: Node, numbers: Mapping[str, Ints]) -> Iterator[Tie]:
    """Between a node's inputs and its output; none where nothing can go, or all can alone."""
    own = numbers[node.name]
    operands = [numbers[n] for i, n in enumerate(node.inputs) if i not in node.op.CHANNEL_AXIS]
    if _channelwise(graph, node):
        yield from ((operand, own) for operand in operands)
    elif isinstance(node.op, Concat):
        yield np.concatenate(operands), own
    elif isinstance(node.op, Slice) and node.op.step == 1:
        yield operands[0][node.op.start : node.op.stop], own
    elif isinstance(node.op, Reshape):
        yield from _repeated(operands[0], own)


def _channelwise(graph: Graph, node: Node) -> bool:
    """Whether channel c is made of channels c alone."""
    if isinstance(node.op, Concat | Slice):
        return node.op.axis != len(node.type.shape) - 1
    if isinstance(node.op, Pad):
        return node.op.sides[-1] == (0, 0)
    return isinstance(node.op, CHANNELWISE) and _has_weights(graph, node)


def _repeated(x: Ints, y: Ints) -> Iterator[Tie]:
    """A flatten puts the channels of every pixel in a row, and back; others mix them up."""
    if len(y) % len(x) == 0:
        yield np.tile(x, len(y) // len(x)), y
    elif len(x) % len(y) == 0:
        yield x, np.tile(y, len(x) // len(y))
