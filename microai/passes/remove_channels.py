# SPDX-License-Identifier: Apache-2.0
"""Take channels out of a graph: of tensors, and of the weights that make and read them."""

from dataclasses import replace

import numpy as np

from microai.graph import Graph, Node, replace_node
from microai.op import Const
from microai.ops import LINEAR, Reshape, Slice
from microai.passes._channels import Channels, Keep, mixes
from microai.passes._weights import with_weight
from microai.types import Bools, Quant, TensorType


def remove_channels(graph: Graph, keep: Keep) -> Graph:
    """Keep of each tensor the channels of `keep`, which has some tensors by name, and what they
    need: channels that move together, the graph's inputs and outputs, one channel at least.
    """
    channels = Channels.of(graph)
    kept = channels.named(channels.closed(channels.flags(keep)))
    if all(flags.all() for flags in kept.values()):
        return graph
    for node in graph.nodes:
        if isinstance(node.op, LINEAR):
            graph = _without(graph, node, kept)
    return _narrowed(graph, kept)


def _without(graph: Graph, node: Node, kept: Keep) -> Graph:
    """Weights and bias without the rows of removed outputs and the columns of removed inputs."""
    x, out = kept[node.inputs[0]], kept[node.name]
    for position, axis in node.op.CHANNEL_AXIS.items():
        const = graph[graph[node.name].inputs[position]]
        array = np.compress(out, graph.weights[const.name], axis)
        if position == 1 and mixes(graph, node):
            array = np.compress(x, array, -1)
        if array.shape != const.type.shape:
            quant = _scales(const.type.quant, out)
            graph = with_weight(graph, node.name, position, array, quant)
    return graph


def _scales(quant: Quant | None, kept: Bools) -> Quant | None:
    """The storage of the channels that stay."""
    if quant is None or len(quant.scale) == 1:
        return quant
    return replace(quant, scale=tuple(np.compress(kept, quant.scale).tolist()))


def _narrowed(graph: Graph, kept: Keep) -> Graph:
    """Tensors, and the ops that know their sizes."""
    weights = dict(graph.weights)
    for node in graph.nodes:
        flags = kept.get(node.name)
        if flags is None or flags.all():
            continue
        shape = (*node.type.shape[:-1], int(flags.sum()))
        if node.name in weights:
            weights[node.name] = np.compress(flags, weights[node.name], -1)
        graph = replace_node(graph, replace(node, type=TensorType(shape, node.type.quant)))
    nodes = tuple(_resized(node, kept) for node in graph.nodes)
    return replace(graph, nodes=nodes, weights=weights)


def _resized(node: Node, kept: Keep) -> Node:
    """With the sizes that its op names."""
    op = node.op
    if isinstance(op, Const | Reshape):
        return replace(node, op=replace(op, shape=node.type.shape))
    if isinstance(op, Slice) and op.axis == len(node.type.shape) - 1:
        flags = kept[node.inputs[0]]
        start, stop = (int(flags[:end].sum()) for end in (op.start, op.stop))
        return node if flags.all() else replace(node, op=replace(op, start=start, stop=stop))
    return node
