# SPDX-License-Identifier: Apache-2.0
"""Zeros around an image are the window's own padding: it needs no copy of the image."""

from dataclasses import replace

import numpy as np

from microai.fixedpoint import quantize
from microai.graph import Graph, Node, bypass, replace_node
from microai.op import Op
from microai.ops import Conv, DepthwiseConv, Pad


def merge_pads(graph: Graph) -> Graph:
    """A Pad of zeros that only convolutions read joins their pads."""
    for node in reversed(graph.nodes):  # of several in a row the last first
        readers = graph.users(node.name)
        if not readers or node.name in graph.outputs or not _is_margin(node):
            continue
        if all(_takes(reader, node.name) for reader in readers):
            padded = [replace(r, op=_padded(r.op, node.op)) for r in readers]
            graph = bypass(replace_node(graph, *padded), node.name)
    return graph


def _takes(reader: Node, name: str) -> bool:
    """Whether a node slides a window over it."""
    return isinstance(reader.op, Conv | DepthwiseConv) and name not in reader.inputs[1:]


def _is_margin(node: Node) -> bool:
    """Whether it pads the image axes alone, with what stands for the real 0."""
    if not isinstance(node.op, Pad) or node.op.sides[-1] != (0, 0):
        return False
    quant = node.type.quant
    if quant is None:
        return node.op.value == 0
    return int(quantize(np.asarray(node.op.value, np.float64), quant)) == quant.zero


def _padded(op: Op, pad: Op) -> Op:
    assert isinstance(op, Conv | DepthwiseConv)
    assert isinstance(pad, Pad)
    more = pad.pads[:-2]
    own = op.pads or (0,) * len(more)
    return replace(op, pads=tuple(a + b for a, b in zip(own, more, strict=True)))
