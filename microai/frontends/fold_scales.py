# SPDX-License-Identifier: Apache-2.0
"""A scale and shift for each channel joins a layer whose weights are stored already: the weights'
own scales take the factor, their integers at most its sign.
"""

from dataclasses import replace

import numpy as np

from microai.fixedpoint import dequantize
from microai.frontends.storage import LARGEST
from microai.graph import Graph, Node, add_const, bypass, insert_before, replace_node
from microai.op import Const
from microai.ops import LINEAR, DepthwiseConv, Dequantize
from microai.types import Array, Floats, QTensor, Quant, TensorType


def fold_scales(graph: Graph) -> Graph:
    """Batch norms and constants behind layers that came quantized; others are left to a pass."""
    for name in [node.name for node in graph.nodes if isinstance(node.op, DepthwiseConv)]:
        node = graph[name]
        layer = graph[node.inputs[0]]
        if _is_affine(graph, node) and _takes(graph, layer):
            graph = _folded(graph, node, layer)
    return graph


def _is_affine(graph: Graph, node: Node) -> bool:
    """A factor for each channel and a bias, both plain constants."""
    plain = set(node.inputs[1:]) <= set(graph.weights) and node.name not in graph.outputs
    return plain and graph.weights[node.inputs[1]].size == node.type.shape[-1]


def _takes(graph: Graph, layer: Node) -> bool:
    """Whether a layer's weights are dequantized constants, and nobody else reads its output."""
    if not isinstance(layer.op, LINEAR) or layer.op.clamp != (None, None):
        return False
    source = graph[layer.inputs[1]]
    stored = isinstance(source.op, Dequantize) and source.inputs[0] in graph.weights
    return stored and graph.only_user(layer.name) and _reals(graph, layer.inputs[2]) is not None


def _reals(graph: Graph, name: str) -> Floats | None:
    """A constant's real numbers, dequantized or not; None for what is computed."""
    node = graph[name]
    if isinstance(node.op, Const) and node.type.quant is None:
        return graph.weights[name].astype(np.float64)
    if not isinstance(node.op, Dequantize) or node.inputs[0] not in graph.weights:
        return None
    source = graph[node.inputs[0]]
    return dequantize(QTensor(graph.weights[source.name].astype(np.int64), source.type.stored))


def _folded(graph: Graph, node: Node, layer: Node) -> Graph:
    stored = graph[graph[layer.inputs[1]].inputs[0]]
    factors, shift = (graph.weights[name].ravel().astype(np.float64) for name in node.inputs[1:])
    bias = _reals(graph, layer.inputs[2])
    assert bias is not None
    axis = layer.op.CHANNEL_AXIS[1] % len(stored.type.shape)
    own = stored.type.stored
    ints = _signed(graph.weights[stored.name].astype(np.int64), factors, axis)
    scales = np.asarray(own.scale) * (np.abs(factors) + (factors == 0))  # of 0 any scale will do
    fits = np.all((scales > 1 / LARGEST) & (scales < LARGEST)) and np.isfinite(bias).all()
    if not fits or ints.max() > own.high or (len(own.scale) > 1 and own.axis != axis):
        return graph  # -128 has no opposite
    quant = replace(own, scale=tuple(scales.tolist()), axis=axis)
    weight, offset = f"{node.name}.folded.weight", f"{node.name}.folded.bias"
    graph = _add_stored(graph, layer.name, weight, ints.astype(stored.type.element), quant)
    graph = add_const(graph, layer.name, offset, (bias * factors + shift).astype(np.float32))
    merged = replace(layer, inputs=(layer.inputs[0], f"{weight}.real", offset))
    return bypass(replace_node(graph, merged), node.name)


def _signed(ints: Array, factors: Floats, axis: int) -> Array:
    """Integers with the signs of the factors; a factor of 0 leaves nothing."""
    return ints * np.sign(factors).astype(np.int64).reshape(
        [-1 if i == axis else 1 for i in range(ints.ndim)]
    )


def _add_stored(graph: Graph, before: str, name: str, array: Array, quant: Quant) -> Graph:
    """A stored constant and its real numbers in front of a node."""
    kind = TensorType(array.shape)
    const = Node(name, Const(array.shape), (), TensorType(array.shape, quant), "flash")
    real = Node(f"{name}.real", Dequantize(), (name,), kind)
    graph = replace(graph, weights={**graph.weights, name: array})
    return insert_before(graph, before, const, real)
