# SPDX-License-Identifier: Apache-2.0
"""One function for each op: it writes a node and returns the float32 tensor that has its value."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from onnx import TensorProto

from microai.errors import UnsupportedError
from microai.export.onnx_draft import Draft, axis_of, first, moves, to_first, to_last
from microai.export.onnx_functions import FUNCTIONS
from microai.fixedpoint import Clamp, dequantize, quantize
from microai.graph import Graph, Node
from microai.op import Op
from microai.ops import (
    Activation,
    Add,
    ArgMax,
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
    Softmax,
    Sub,
    Transpose,
)
from microai.ops._window import Window
from microai.ops.resize import nearest
from microai.types import Array, Ints, QTensor

Writer = Callable[[Draft, Node], str]
KEEPS_ORDER = Activation | Dequantize | Quantize | Relu
"""Ops that do not care about the order of a vector's elements."""


def _limited(draft: Draft, x: str, clamp: Clamp) -> str:
    if clamp == (None, None):
        return x
    if clamp == (0, None):
        return draft.emit("Relu", [x])
    ends = ["" if end is None else draft.real(end) for end in clamp]
    return draft.emit("Clip", [x, *ends])


def _order(draft: Draft, node: Node) -> None:
    """A vector that is still channels first stays so."""
    if node.inputs[0] in draft.flat:
        draft.flat[node.name] = draft.flat[node.inputs[0]]


def _two(draft: Draft, node: Node, kind: str) -> str:
    """Sum, difference, product."""
    assert isinstance(node.op, Add | Sub | Mul)
    return _limited(draft, draft.emit(kind, list(map(draft.value, node.inputs))), node.op.clamp)


def _relu(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, Relu)
    _order(draft, node)
    return _limited(draft, draft.value(node.inputs[0]), node.op.clamp)


def _activation(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, Activation)
    _order(draft, node)
    return FUNCTIONS[node.op.kind](draft, draft.value(node.inputs[0]), node.op.slope)


def _convert(draft: Draft, node: Node) -> str:
    """The value is float32 already."""
    _order(draft, node)
    return draft.value(node.inputs[0])


def _reshape(draft: Draft, node: Node) -> str:
    """Elements are ordered channels last in the graph: a dense layer behind moves its columns
    instead.
    """
    x = draft.value(node.inputs[0])
    before, after = draft.graph[node.inputs[0]].type.shape, node.type.shape
    if moves(before) and len(after) == 2 and _feeds_dense(draft.graph, node):
        draft.flat[node.name] = before[1:]
    elif moves(before):
        x = draft.transposed(x, to_last(len(before)))
    if moves(after):
        return draft.transposed(draft.reshaped(x, after), to_first(len(after)))
    return draft.reshaped(x, first(after))


def _transpose(draft: Draft, node: Node) -> str:
    """Of axes that lie elsewhere here."""
    assert isinstance(node.op, Transpose)
    rank = len(node.op.axes)
    axes = tuple(to_last(rank)[node.op.axes[axis]] for axis in to_first(rank))
    return draft.transposed(draft.value(node.inputs[0]), axes)


def _lookup(_: Draft, node: Node) -> str:
    raise UnsupportedError(f"{node.op} is a table; export the network that it was made of")


def _feeds_dense(graph: Graph, node: Node) -> bool:
    """Whether dense layers alone see the order of its elements."""
    users = graph.users(node.name)
    return node.name not in graph.outputs and all(
        isinstance(user.op, Dense)
        or (isinstance(user.op, KEEPS_ORDER) and _feeds_dense(graph, user))
        for user in users
    )


def _softmax(draft: Draft, node: Node) -> str:
    """No more than the storage holds: onnxruntime's own int8 softmax would let 1 wrap around
    (https://github.com/microsoft/onnxruntime/issues/29727), and makes way for a Min.
    """
    rank, quant = len(node.type.shape), node.type.quant
    shares = draft.emit("Softmax", [draft.value(node.inputs[0])], axis=axis_of(rank - 1, rank))
    if quant is None:
        return shares
    return draft.emit("Min", [shares, draft.real((quant.high - quant.zero) * quant.scale[0])])


def _concat(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, Concat)
    axis = axis_of(node.op.axis, len(node.type.shape))
    return draft.emit("Concat", list(map(draft.value, node.inputs)), axis=axis)


def _slice(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, Slice)
    axis = axis_of(node.op.axis, len(node.type.shape))
    ends = (node.op.start, node.op.stop, axis, node.op.step)
    return draft.emit("Slice", [draft.value(node.inputs[0]), *map(draft.numbers, ends)])


def _pad(draft: Draft, node: Node) -> str:
    """With what the graph's storage makes of the value."""
    assert isinstance(node.op, Pad)
    fill, quant = node.op.value, node.type.quant
    if quant:
        ints = quantize(np.asarray(fill, np.float64), quant)
        fill = float(dequantize(QTensor(ints, quant)))
    sides = [(0, 0), *node.op.sides]
    ordered = [sides[axis] for axis in to_first(len(sides))]
    pads = draft.numbers(*(side[0] for side in ordered), *(side[1] for side in ordered))
    return draft.emit("Pad", [draft.value(node.inputs[0]), pads, draft.real(fill)])


def _arg_max(draft: Draft, node: Node) -> str:
    rank = len(node.type.shape)
    x = draft.value(node.inputs[0])
    index = draft.emit("ArgMax", [x], axis=axis_of(rank - 1, rank), keepdims=1)
    to = TensorProto.INT32 if node.type.quant else TensorProto.FLOAT
    return draft.emit("Cast", [index], to=to)


def _resize(draft: Draft, node: Node) -> str:
    """Resize where that finds the same pixels, which it does in float32."""
    assert isinstance(node.op, Resize)
    x = draft.value(node.inputs[0])
    before, after = (first(draft.graph[n].type.shape) for n in (node.inputs[0], node.name))
    pairs = list(enumerate(zip(before, after, strict=True)))[2:]
    if all(np.array_equal(_nearest_in_float32(*pair), nearest(*pair)) for _, pair in pairs):
        return draft.emit(
            "Resize", [x, "", "", draft.numbers(*after)], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
    for axis, pair in pairs:
        x = draft.emit("Gather", [x, draft.numbers(*nearest(*pair).tolist())], axis=axis)
    return x


def _nearest_in_float32(before: int, after: int) -> Ints:
    """floor(i / (after / before)) for i < after."""
    scale = np.float32(after) / np.float32(before)
    index: Ints = np.floor(np.arange(after, dtype=np.float32) / scale).astype(np.int64)
    return index


def _sizes(window: Window) -> dict[str, Any]:
    return {
        "kernel_shape": window.kernel, "strides": window.stride,
        "pads": (*window.before, *window.after),
    }  # fmt: skip


def _pool(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, AvgPool | MaxPool)
    x, sizes = draft.value(node.inputs[0]), _sizes(node.op.window)
    if isinstance(node.op, MaxPool):
        return draft.emit("MaxPool", [x], **sizes)
    return draft.emit("AveragePool", [x], **sizes, count_include_pad=int(node.op.count_pads))


def _operands(draft: Draft, node: Node, array: Array, axis: int = 0) -> list[str]:
    """Activation, weight as ONNX has it, bias."""
    x, weight, bias = node.inputs
    biases = draft.graph.weights[bias]
    return [draft.value(x), draft.weight(weight, array, axis), draft.weight(bias, biases)]


def _conv(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, Conv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape)
    operands = _operands(draft, node, np.moveaxis(array, -1, 1))
    options: dict[str, Any] = {"dilations": window.dilation, "group": node.op.groups}
    return _limited(draft, draft.emit("Conv", operands, **_sizes(window), **options), node.op.clamp)


def _depthwise(draft: Draft, node: Node) -> str:
    assert isinstance(node.op, DepthwiseConv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape)
    operands = _operands(draft, node, np.moveaxis(array, -1, 0)[:, None])
    options: dict[str, Any] = {"dilations": window.dilation, "group": array.shape[-1]}
    return _limited(draft, draft.emit("Conv", operands, **_sizes(window), **options), node.op.clamp)


def _conv_transpose(draft: Draft, node: Node) -> str:
    """What `pads` add, ONNX has as output_padding."""
    assert isinstance(node.op, ConvTranspose)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape)
    more = tuple(max(-side, 0) for side in window.after)
    if any(size >= stride for size, stride in zip(more, window.stride, strict=True)):
        raise UnsupportedError("it adds as many pixels as a stride or more, ONNX adds fewer")
    kept = tuple(max(side, 0) for side in window.after)
    sizes = {**_sizes(window), "pads": (*window.before, *kept), "output_padding": more}
    operands = _operands(draft, node, np.moveaxis(array, -1, 0), axis=1)
    return _limited(draft, draft.emit("ConvTranspose", operands, **sizes), node.op.clamp)


def _dense(draft: Draft, node: Node) -> str:
    """Its columns in the order of its input's elements."""
    assert isinstance(node.op, Dense)
    array = draft.graph.weights[node.inputs[1]]
    if image := draft.flat.get(node.inputs[0]):
        array = np.moveaxis(array.reshape(len(array), *image), -1, 1).reshape(len(array), -1)
    operands = _operands(draft, node, array)
    return _limited(draft, draft.emit("Gemm", operands, transB=1), node.op.clamp)


WRITERS: dict[type[Op], Writer] = {
    Activation: _activation,
    Add: partial(_two, kind="Add"),
    ArgMax: _arg_max,
    AvgPool: _pool,
    Concat: _concat,
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    DepthwiseConv: _depthwise,
    Dequantize: _convert,
    Lookup: _lookup,
    MaxPool: _pool,
    Mul: partial(_two, kind="Mul"),
    Pad: _pad,
    Quantize: _convert,
    Relu: _relu,
    Reshape: _reshape,
    Resize: _resize,
    Slice: _slice,
    Softmax: _softmax,
    Sub: partial(_two, kind="Sub"),
    Transpose: _transpose,
}
