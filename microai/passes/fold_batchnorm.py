# SPDX-License-Identifier: Apache-2.0
"""Fold a per-channel scale and shift into the layer before it.

Batch norm is imported as what it is at inference, a 1x1 depthwise convolution; where no layer can
take it over, it stays one.
"""

from dataclasses import replace

from microai.graph import Graph, Node, absorb, add_const
from microai.op import Op
from microai.ops import Conv2d, Dense, DepthwiseConv2d
from microai.types import Array


def fold_batchnorm(graph: Graph) -> Graph:
    """Conv or Dense followed by a 1x1 depthwise convolution becomes one layer."""
    for node in graph.nodes:
        if _is_scale(graph, node) and _can_take(graph, graph[node.inputs[0]]):
            graph = _fold(graph, node)
    return graph


def _is_scale(graph: Graph, node: Node) -> bool:
    op = node.op
    if not isinstance(op, DepthwiseConv2d) or op.stride != (1, 1) or any(op.pads):
        return False
    weight = graph[node.inputs[1]]
    return weight.type.shape[:2] == (1, 1) and set(node.inputs[1:]) <= set(graph.weights)


def _can_take(graph: Graph, layer: Node) -> bool:
    if not isinstance(layer.op, Conv2d | DepthwiseConv2d | Dense):
        return False
    constant = set(layer.inputs[1:]) <= set(graph.weights)
    return constant and layer.op.clamp == (None, None) and graph.only_user(layer.name)


def _fold(graph: Graph, node: Node) -> Graph:
    scale = graph.weights[node.inputs[1]].reshape(-1)
    shift = graph.weights[node.inputs[2]]
    layer = graph[node.inputs[0]]
    w, b = (graph.weights[name] for name in layer.inputs[1:])
    weight, bias = f"{layer.name}.folded.weight", f"{layer.name}.folded.bias"
    graph = add_const(graph, layer.name, weight, _scale_channels(layer.op, w, scale))
    graph = add_const(graph, layer.name, bias, b * scale + shift)
    assert isinstance(layer.op, Conv2d | DepthwiseConv2d | Dense)
    assert isinstance(node.op, DepthwiseConv2d)
    op = replace(layer.op, clamp=node.op.clamp)
    return absorb(graph, node.name, op, (layer.inputs[0], weight, bias))


def _scale_channels(op: Op, w: Array, scale: Array) -> Array:
    axis = op.CHANNEL_AXIS[1]
    return w * scale.reshape([-1 if i == axis else 1 for i in range(w.ndim)])
