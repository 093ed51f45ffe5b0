# SPDX-License-Identifier: Apache-2.0
"""Fold a per-channel scale and shift into the layer before it.

Batch norm is imported as what it is at inference, a 1x1 depthwise convolution; where no layer can
take it over, it stays one.
"""

from dataclasses import replace

from microai.graph import Graph, Node, absorb, add_const, bypass, replace_node
from microai.op import Op
from microai.ops import LINEAR, DepthwiseConv, Reshape
from microai.types import Array


def fold_batchnorm(graph: Graph) -> Graph:
    """A linear layer followed by a 1x1 depthwise convolution becomes one layer."""
    for name in [n.name for n in graph.nodes if isinstance(n.op, DepthwiseConv)]:
        node = graph[name]
        if _is_scale(graph, node) and (layer := _layer(graph, node)):
            graph = _fold(graph, node, layer)
    return graph


def _is_scale(graph: Graph, node: Node) -> bool:
    op = node.op
    if not isinstance(op, DepthwiseConv) or max((1, *op.stride)) > 1 or any(op.pads):
        return False
    weight = graph[node.inputs[1]]
    return set(weight.type.shape[:-1]) == {1} and set(node.inputs[1:]) <= set(graph.weights)


def _layer(graph: Graph, node: Node) -> Node | None:
    """The layer that can take the scale over; a reshape that keeps channels may intervene."""
    source = graph[node.inputs[0]]
    while isinstance(source.op, Reshape) and node.name not in graph.outputs:
        before = graph[source.inputs[0]]
        if not graph.only_user(source.name) or before.type.shape[-1] != source.type.shape[-1]:
            return None
        source = before
    if not isinstance(source.op, LINEAR):
        return None
    constant = set(source.inputs[1:]) <= set(graph.weights)
    fits = constant and source.op.clamp == (None, None) and graph.only_user(source.name)
    return source if fits else None


def _fold(graph: Graph, node: Node, layer: Node) -> Graph:
    scale = graph.weights[node.inputs[1]].reshape(-1)
    shift = graph.weights[node.inputs[2]]
    w, b = (graph.weights[name] for name in layer.inputs[1:])
    weight, bias = f"{node.name}.folded.weight", f"{node.name}.folded.bias"
    graph = add_const(graph, layer.name, weight, _scale_channels(layer.op, w, scale))
    graph = add_const(graph, layer.name, bias, b * scale + shift)
    inputs = (layer.inputs[0], weight, bias)
    if node.inputs[0] == layer.name:
        return absorb(graph, node.name, _with_clamp(layer, node), inputs)
    merged = replace(layer, op=_with_clamp(layer, node), inputs=inputs)
    return bypass(replace_node(graph, merged), node.name)


def _with_clamp(layer: Node, node: Node) -> Op:
    """The layer's op with the clamp of the node it absorbs."""
    assert isinstance(layer.op, LINEAR)
    assert isinstance(node.op, DepthwiseConv)
    return replace(layer.op, clamp=node.op.clamp)


def _scale_channels(op: Op, w: Array, scale: Array) -> Array:
    axis = op.CHANNEL_AXIS[1] % w.ndim
    return w * scale.reshape([-1 if i == axis else 1 for i in range(w.ndim)])
