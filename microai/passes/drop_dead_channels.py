# SPDX-License-Identifier: Apache-2.0
"""Channels that no output needs go, with the weights that make and read them."""

import numpy as np

from microai.bounds import accumulator
from microai.fixedpoint import multiplier_shift
from microai.graph import Graph, Node
from microai.ops import LINEAR
from microai.passes._channels import Channels, mixes
from microai.passes.remove_channels import remove_channels
from microai.types import Bools

MULTIPLE = 4
"""int8 kernels take channels by the word, and some refuse other numbers. MLPerf Tiny's visual wake
words in instructions: 8.72 M with 1, 8.23 M with 2, 8.01 M with 4; 14.36 M before.
"""


def drop_dead_channels(graph: Graph) -> Graph:
    """Keep what the outputs need, and what keeps all that stays bit for bit as it was."""
    channels = Channels.of(graph)
    flags, grown = None, channels.flags({})
    while flags is None or not np.array_equal(flags, grown):
        flags = grown
        grown = channels.closed(_needed(graph, channels, flags), MULTIPLE)
    return remove_channels(graph, channels.named(flags))


def _needed(graph: Graph, channels: Channels, flags: Bools) -> Bools:
    """With what the kept channels are made of."""
    flags, before = flags.copy(), -1
    while before != (before := int(flags.sum())):
        for node in reversed(graph.steps):
            own = flags[channels.numbers[node.name]]
            if mixes(graph, node):
                w = graph.weights[node.inputs[1]]
                read = (w[own] != 0).any(axis=tuple(range(w.ndim - 1)))
                flags[channels.numbers[node.inputs[0]][read]] = True
            if isinstance(node.op, LINEAR) and node.type.quant and own.any():
                flags[channels.numbers[node.name]] = _same_shift(graph, node, own)
        flags = channels.tied(flags)
    return flags


def _same_shift(graph: Graph, node: Node, own: Bools) -> Bools:
    """The channel with the largest ratio stays where without it all would be rescaled otherwise:
    it sets the shift, and so the precision, of the node's multipliers.
    """
    sums = accumulator(graph, node)
    assert sums
    ratios = np.asarray(sums.ratios)
    if multiplier_shift(ratios[own].tolist()).shift == sums.scaling.shift:
        return own
    largest: Bools = np.arange(len(own)) == ratios.argmax()
    return own | largest
