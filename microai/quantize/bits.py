# SPDX-License-Identifier: Apache-2.0
"""Fewer bits than the storage has: real limits that no kernel needs to know about."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from microai.graph import Graph, Node, replace_node
from microai.ops import CLAMPING
from microai.passes.fuse_relu import both
from microai.quantize.mixed import Schemes
from microai.quantize.storage import limits_of
from microai.types import Quant


def within_bits(graph: Graph, schemes: Schemes, quants: Mapping[str, Quant | None]) -> Graph:
    """The float graph with weights and outputs limited to what the `bits` of their scheme hold.

    Ops that can limit their output do; the others are where their calibrated range is.
    """
    for node in graph.steps:
        quant = quants[node.name]
        if quant and schemes[node.name].bits is not None:
            graph = _limited(graph, node, _reals(quant, limits_of(quant.dtype, schemes[node.name])))
    weights = dict(graph.weights)
    for const in graph.consts:
        quant, scheme = quants[const.name], schemes[graph.users(const.name)[0].name]
        if quant and scheme.bits is not None and quant.dtype != "int32":
            limit = limits_of(quant.dtype, scheme)[1] * np.asarray(quant.scale, np.float32)
            axes = [-1 if axis == quant.axis else 1 for axis in range(len(const.type.shape))]
            limit = limit.reshape(axes) if len(limit) > 1 else limit
            weights[const.name] = np.clip(weights[const.name], -limit, limit)
    return replace(graph, weights=weights)


def _limited(graph: Graph, node: Node, limits: tuple[float, float]) -> Graph:
    if not isinstance(node.op, CLAMPING):
        return graph
    op = replace(node.op, clamp=both(node.op.clamp, limits))
    return replace_node(graph, replace(node, op=op))


def _reals(quant: Quant, ints: tuple[int, int]) -> tuple[float, float]:
    """What integers of Qm.n stand for."""
    low, high = ints
    return low * quant.scale[0], high * quant.scale[0]
