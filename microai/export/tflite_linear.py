# SPDX-License-Identifier: Apache-2.0
"""Convolutions and dense layers as operators of a .tflite file."""

from dataclasses import replace

import numpy as np

from microai.errors import UnsupportedError
from microai.export.tflite_draft import Draft, image
from microai.export.tflite_padding import VALID, placed, strides
from microai.fixedpoint import Clamp
from microai.graph import Node
from microai.ops import Conv, ConvTranspose, Dense, DepthwiseConv
from microai.ops._window import Window
from microai.types import Array, TensorType


def _weights(draft: Draft, node: Node, array: Array, axis: int) -> tuple[int, int]:
    """The weight, arranged as TFLite has it, and the bias."""
    weight, bias = node.inputs[1:]
    quant = draft.graph[weight].type.quant
    biases = draft.graph.weights[bias]
    if node.type.dtype == "int16":
        biases = biases.astype(np.int64)
    return (
        draft.constant(weight, array, quant, axis),
        draft.constant(bias, biases, draft.graph[bias].type.quant),
    )


def _dilations(window: Window) -> dict[str, int]:
    return {"DilationHFactor": window.dilation[0], "DilationWFactor": window.dilation[1]}


def conv(draft: Draft, node: Node) -> int:
    """CONV_2D has (O, h, w, I / groups); it sees the groups by that."""
    assert isinstance(node.op, Conv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape).flat
    x, padding = placed(draft, node, window)
    taps = array.reshape(len(array), *window.kernel, -1)
    operands = [x, *_weights(draft, node, taps, axis=0)]
    return draft.closed(
        "CONV_2D", operands, image(node), node.op.clamp, Padding=padding,
        **strides(window), **_dilations(window),
    )  # fmt: skip


def depthwise(draft: Draft, node: Node) -> int:
    """DEPTHWISE_CONV_2D has (1, h, w, C)."""
    assert isinstance(node.op, DepthwiseConv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape).flat
    x, padding = placed(draft, node, window)
    taps = array.reshape(1, *window.kernel, -1)
    operands = [x, *_weights(draft, node, taps, axis=3)]
    return depthwise_of(draft, operands, image(node), (window, padding), node.op.clamp)


def depthwise_of(
    draft: Draft, operands: list[int], out: TensorType, how: tuple[Window, int],
    clamp: Clamp = (None, None),
) -> int:  # fmt: skip
    """The operator; `how` is SAME or VALID."""
    window, padding = how
    return draft.closed(
        "DEPTHWISE_CONV_2D", operands, out, clamp, Padding=padding, DepthMultiplier=1,
        **strides(window), **_dilations(window),
    )  # fmt: skip


def dense(draft: Draft, node: Node) -> int:
    """FULLY_CONNECTED has (O, I)."""
    assert isinstance(node.op, Dense)
    x = draft.value(node.inputs[0])
    array = draft.graph.weights[node.inputs[1]]
    operands = [x, *_weights(draft, node, array, axis=0)]
    return draft.closed("FULLY_CONNECTED", operands, image(node), node.op.clamp)


def conv_transpose(draft: Draft, node: Node) -> int:
    """TRANSPOSE_CONV of the whole, and what `pads` cut off cut off by a slice. Limits are
    operators of their own: older runtimes have none built in.
    """
    assert isinstance(node.op, ConvTranspose)
    x = draft.value(node.inputs[0])
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape).flat
    out = image(node)
    begin = window.before
    sizes = zip(draft.types[x].shape[1:3], window.stride, window.kernel, strict=True)
    full = [(size - 1) * stride + kernel for size, stride, kernel in sizes]
    ends = [start + made for start, made in zip(begin, out.shape[1:3], strict=True)]
    spread = [max(pair) for pair in zip(full, ends, strict=True)]
    if any(more - size >= s for more, size, s in zip(spread, full, window.stride, strict=True)):
        raise UnsupportedError("it adds as many pixels as a stride or more, TFLite adds fewer")
    whole = replace(out, shape=(1, *spread, out.shape[-1]))
    taps = array.reshape(len(array), *window.kernel, -1)
    operands = [draft.numbers(list(whole.shape)), *_turned(x, _weights(draft, node, taps, axis=0))]
    made = draft.emit("TRANSPOSE_CONV", operands, whole, Padding=VALID, **strides(window))
    if whole.shape != out.shape:
        places = [[0, *begin, 0], [1, *ends, out.shape[-1]], [1, 1, 1, 1]]
        made = draft.emit("STRIDED_SLICE", [made, *map(draft.numbers, places)], out)
    return draft.limited(made, node.op.clamp)


def _turned(x: int, weights: tuple[int, int]) -> tuple[int, int, int]:
    """The image comes after the weight."""
    return weights[0], x, weights[1]
