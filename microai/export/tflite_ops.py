# SPDX-License-Identifier: Apache-2.0
"""One function for each op: it writes a node and returns the tensor that has its value."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from microai.errors import UnsupportedError
from microai.export.tflite_draft import (
    RECTIFIERS,
    Draft,
    axis_of,
    fused,
    image,
    lifted,
)
from microai.export.tflite_functions import activation, softmax
from microai.export.tflite_linear import conv, conv_transpose, dense, depthwise
from microai.export.tflite_padding import padded
from microai.export.tflite_pool import avg_pool, max_pool
from microai.fixedpoint import quantize
from microai.graph import Node
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
from microai.ops.arg_max import INDEX
from microai.ops.resize import nearest
from microai.types import Ints, TensorType

INT32 = 2  # TensorType.INT32 of the schema
POWERS_OF_TWO = {"ADD": {"PotScaleInt16": False}, "SUB": {"PotScaleInt16": False}}
"""The schema's default is True, from when int16 could do nothing else."""

Writer = Callable[[Draft, Node], int]


def _two(draft: Draft, node: Node, code: str) -> int:
    """Sum, difference, product."""
    assert isinstance(node.op, Add | Sub | Mul)
    a, b = map(draft.value, node.inputs)
    return draft.closed(code, [a, b], image(node), node.op.clamp, **POWERS_OF_TWO.get(code, {}))


def _relu(draft: Draft, node: Node) -> int:
    assert isinstance(node.op, Relu)
    x = draft.value(node.inputs[0])
    code = RECTIFIERS.get(fused(node.op.clamp, node.type.quant) or 0)
    return draft.emit(code, [x], image(node)) if code else draft.limited(x, node.op.clamp)


def _reshape(draft: Draft, node: Node) -> int:
    return draft.reshaped(draft.value(node.inputs[0]), lifted(node.type.shape))


def _transpose(draft: Draft, node: Node) -> int:
    assert isinstance(node.op, Transpose)
    more = len(lifted(node.type.shape)) - len(node.type.shape)
    axes = (*range(more), *(axis + more for axis in node.op.axes))
    inputs = [draft.value(node.inputs[0]), draft.numbers(*axes)]
    return draft.emit("TRANSPOSE", inputs, image(node))


def _lookup(_: Draft, node: Node) -> int:
    raise UnsupportedError(f"{node.op} is a table; export the network that it was made of")


def _convert(draft: Draft, node: Node, code: str) -> int:
    return draft.emit(code, [draft.value(node.inputs[0])], image(node))


def _concat(draft: Draft, node: Node) -> int:
    assert isinstance(node.op, Concat)
    parts = [draft.requantized(draft.value(name), node.type.quant) for name in node.inputs]
    axis = axis_of(node.op.axis, node.type.shape)
    return draft.emit("CONCATENATION", parts, image(node), Axis=axis)


def _slice(draft: Draft, node: Node) -> int:
    assert isinstance(node.op, Slice)
    x = draft.value(node.inputs[0])
    sizes = draft.types[x].shape
    axis = axis_of(node.op.axis, node.type.shape)
    begin, end, step = [0] * len(sizes), list(sizes), [1] * len(sizes)
    begin[axis], end[axis], step[axis] = node.op.start, node.op.stop, node.op.step
    places = [draft.numbers(begin), draft.numbers(end), draft.numbers(step)]
    return draft.emit("STRIDED_SLICE", [x, *places], image(node))


def _pad(draft: Draft, node: Node) -> int:
    assert isinstance(node.op, Pad)
    x = draft.value(node.inputs[0])
    quant = node.type.quant
    fill = quantize(np.asarray(node.op.value, np.float64), quant) if quant else node.op.value
    sides = [(0, 0)] * (axis_of(1, node.type.shape)) + node.op.sides
    return padded(draft, x, sides, float(fill))


def _arg_max(draft: Draft, node: Node) -> int:
    """int16 as int32: ARG_MAX reads no int16."""
    x = draft.value(node.inputs[0])
    kind = draft.types[x]
    index = node.type if node.type.quant else TensorType(node.type.shape, INDEX)
    if kind.dtype == "int16":
        x = draft.emit("CAST", [x], replace(kind, quant=index.quant), OutDataType=INT32)
    flat = replace(index, shape=kind.shape[:-1])
    axis = draft.numbers(len(kind.shape) - 1)
    made = draft.emit("ARG_MAX", [x, axis], flat, OutputType=INT32)
    if node.type.quant is None:
        made = draft.emit("CAST", [made], TensorType(flat.shape), InDataType=INT32)
    return draft.reshaped(made, lifted(node.type.shape))


def _resize(draft: Draft, node: Node) -> int:
    """Its own operator where that finds the same pixels, which it does in float32."""
    assert isinstance(node.op, Resize)
    x = draft.value(node.inputs[0])
    before, after = draft.types[x].shape[1:3], lifted(node.type.shape)[1:3]
    pairs = list(zip(before, after, strict=True))
    if all(np.array_equal(_nearest_in_float32(*pair), nearest(*pair)) for pair in pairs):
        return draft.emit("RESIZE_NEAREST_NEIGHBOR", [x, draft.numbers(list(after))], image(node))
    for axis, pair in enumerate(pairs, start=1):
        shape = (*draft.types[x].shape[:axis], pair[1], *draft.types[x].shape[axis + 1 :])
        places = draft.numbers(nearest(*pair).tolist())
        x = draft.emit("GATHER", [x, places], replace(draft.types[x], shape=shape), Axis=axis)
    return x


def _nearest_in_float32(before: int, after: int) -> Ints:
    """floor(i * (before / after)) for i < after."""
    scale = np.float32(before) / np.float32(after)
    index: Ints = np.floor(np.arange(after, dtype=np.float32) * scale).astype(np.int64)
    return index


WRITERS: dict[type[Op], Writer] = {
    Activation: activation,
    Add: partial(_two, code="ADD"),
    ArgMax: _arg_max,
    AvgPool: avg_pool,
    Concat: _concat,
    Conv: conv,
    ConvTranspose: conv_transpose,
    Dense: dense,
    DepthwiseConv: depthwise,
    Dequantize: partial(_convert, code="DEQUANTIZE"),
    Lookup: _lookup,
    MaxPool: max_pool,
    Mul: partial(_two, code="MUL"),
    Pad: _pad,
    Quantize: partial(_convert, code="QUANTIZE"),
    Relu: _relu,
    Reshape: _reshape,
    Resize: _resize,
    Slice: _slice,
    Softmax: softmax,
    Sub: partial(_two, code="SUB"),
    Transpose: _transpose,
}
