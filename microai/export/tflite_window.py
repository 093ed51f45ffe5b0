# SPDX-License-Identifier: Apache-2.0
"""Convolutions, dense layers and pools as operators of a .tflite file."""

import math
from dataclasses import replace

import numpy as np

from microai.errors import UnsupportedError
from microai.export.tflite_draft import Draft, fused, image, limits, same
from microai.graph import Node
from microai.ops import AvgPool, Conv, ConvTranspose, Dense, DepthwiseConv, MaxPool
from microai.ops._window import Sizes, Window
from microai.types import Array, Quant, TensorType

SAME, VALID = 0, 1  # the schema's Padding
Sides = list[tuple[int, int]]
"""Padding before and after each axis."""


def padding_of(window: Window, before: Sizes, after: Sizes) -> int | None:
    """SAME or VALID where one of them does the same to an image (h, w); None where neither."""
    needed = _needed(window, before, after)
    if not any(map(any, needed)):
        return VALID
    strides = zip(before, window.stride, after, strict=True)
    whole = all(-(-size // stride) == made for size, stride, made in strides)
    halves = [(sum(side) // 2, sum(side) - sum(side) // 2) for side in needed]
    return SAME if whole and needed == halves else None


def _needed(window: Window, before: Sizes, after: Sizes) -> Sides:
    """The padding that windows touch."""
    sides = []
    for axis, (size, made) in enumerate(zip(before, after, strict=True)):
        first = window.before[axis]
        end = (made - 1) * window.stride[axis] + window.reach[axis] - first
        sides.append((first, max(end - size, 0)))
    return sides


def padded(draft: Draft, x: int, sides: Sides, fill: float) -> int:
    """An explicit PAD; `fill` is as stored."""
    kind = draft.types[x]
    shape = tuple(size + sum(side) for size, side in zip(kind.shape, sides, strict=True))
    paddings = draft.numbers([list(side) for side in sides])
    if fill == (kind.quant.zero if kind.quant else 0):
        return draft.emit("PAD", [x, paddings], replace(kind, shape=shape))
    value = draft.constant(f"{draft.scope}/fill", np.asarray([fill], kind.dtype), kind.quant)
    return draft.emit("PADV2", [x, paddings, value], replace(kind, shape=shape))


def _placed(draft: Draft, node: Node, window: Window, fill: float | None = None) -> tuple[int, int]:
    """The image that windows slide over, and SAME or VALID; `fill` None is real 0."""
    x = draft.value(node.inputs[0])
    kind = draft.types[x]
    before, after = kind.shape[1:3], image(node).shape[1:3]
    padding = padding_of(window, before, after)
    if padding is not None:
        return x, padding
    zero = float(kind.quant.zero if kind.quant else 0)
    sides = [(0, 0), *_needed(window, before, after), (0, 0)]
    return padded(draft, x, sides, zero if fill is None else fill), VALID


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


def _strides(window: Window) -> dict[str, int]:
    return {"StrideH": window.stride[0], "StrideW": window.stride[1]}


def _dilations(window: Window) -> dict[str, int]:
    return {"DilationHFactor": window.dilation[0], "DilationWFactor": window.dilation[1]}


def conv(draft: Draft, node: Node) -> int:
    """CONV_2D has (O, h, w, I / groups); it sees the groups by that."""
    assert isinstance(node.op, Conv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape).flat
    x, padding = _placed(draft, node, window)
    taps = array.reshape(len(array), *window.kernel, -1)
    operands = [x, *_weights(draft, node, taps, axis=0)]
    limit = fused(node.op.clamp, node.type.quant)
    made = draft.emit(
        "CONV_2D", operands, image(node), Padding=padding,
        FusedActivationFunction=limit or 0, **_strides(window), **_dilations(window),
    )  # fmt: skip
    return draft.limited(made, node.op.clamp) if limit is None else made


def depthwise(draft: Draft, node: Node) -> int:
    """DEPTHWISE_CONV_2D has (1, h, w, C)."""
    assert isinstance(node.op, DepthwiseConv)
    array = draft.graph.weights[node.inputs[1]]
    window = node.op.window(array.shape).flat
    x, padding = _placed(draft, node, window)
    taps = array.reshape(1, *window.kernel, -1)
    operands = [x, *_weights(draft, node, taps, axis=3)]
    limit = fused(node.op.clamp, node.type.quant)
    made = _depthwise(draft, operands, image(node), window, padding, limit or 0)
    return draft.limited(made, node.op.clamp) if limit is None else made


def _depthwise(
    draft: Draft, operands: list[int], out: TensorType, window: Window, padding: int, limit: int = 0
) -> int:
    return draft.emit(
        "DEPTHWISE_CONV_2D", operands, out, Padding=padding, DepthMultiplier=1,
        FusedActivationFunction=limit, **_strides(window), **_dilations(window),
    )  # fmt: skip


def dense(draft: Draft, node: Node) -> int:
    """FULLY_CONNECTED has (O, I)."""
    assert isinstance(node.op, Dense)
    x = draft.value(node.inputs[0])
    array = draft.graph.weights[node.inputs[1]]
    operands = [x, *_weights(draft, node, array, axis=0)]
    limit = fused(node.op.clamp, node.type.quant)
    made = draft.emit("FULLY_CONNECTED", operands, image(node), FusedActivationFunction=limit or 0)
    return draft.limited(made, node.op.clamp) if limit is None else made


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
    made = draft.emit("TRANSPOSE_CONV", operands, whole, Padding=VALID, **_strides(window))
    if whole.shape != out.shape:
        places = [[0, *begin, 0], [1, *ends, out.shape[-1]], [1, 1, 1, 1]]
        made = draft.emit("STRIDED_SLICE", [made, *map(draft.numbers, places)], out)
    return draft.limited(made, node.op.clamp)


def _turned(x: int, weights: tuple[int, int]) -> tuple[int, int, int]:
    """The image comes after the weight."""
    return weights[0], x, weights[1]


def max_pool(draft: Draft, node: Node) -> int:
    """The storage stays in both; padding is the lowest value there is."""
    assert isinstance(node.op, MaxPool)
    window = node.op.window.flat
    lowest = limits((None, None), node.type.quant)[0]
    if node.type.quant is None:
        lowest = float(np.finfo(np.float32).min)
    x, padding = _placed(draft, node, window, lowest)
    return _pool(draft, "MAX_POOL_2D", x, image(node), (window, padding))


def _pool(draft: Draft, code: str, x: int, out: TensorType, how: tuple[Window, int]) -> int:
    window, padding = how
    return draft.emit(
        code, [x], out, Padding=padding, FilterHeight=window.kernel[0],
        FilterWidth=window.kernel[1], **_strides(window),
    )  # fmt: skip


def avg_pool(draft: Draft, node: Node) -> int:
    """AVERAGE_POOL_2D where the storage stays, as that has it; else one operator that rescales:
    MEAN where the pool is global, a depthwise convolution of ones otherwise.
    """
    assert isinstance(node.op, AvgPool)
    window, out = node.op.window.flat, image(node)
    x = draft.value(node.inputs[0])
    kind = draft.types[x]
    size = kind.shape[1:3]
    touched = any(map(any, _needed(window, size, out.shape[1:3])))
    stays = kind.quant is None or same(kind.quant, out.stored)
    if touched and not node.op.count_pads:
        return _inside(draft, x, out, window)
    if not touched and window.kernel == size and not stays:
        return draft.emit("MEAN", [x, draft.numbers([1, 2])], out, KeepDims=True)
    x, padding = _counted(draft, node, window)
    if stays:
        return _pool(draft, "AVERAGE_POOL_2D", x, out, (window, padding))
    return _depthwise(draft, [x, *_ones(draft, kind, window)], out, window, padding)


def _counted(draft: Draft, node: Node, window: Window) -> tuple[int, int]:
    """Padding that counts is there before the pool is."""
    x = draft.value(node.inputs[0])
    sides = _needed(window, draft.types[x].shape[1:3], image(node).shape[1:3])
    if not any(map(any, sides)):
        return x, VALID
    quant = draft.types[x].quant
    return padded(draft, x, [(0, 0), *sides, (0, 0)], float(quant.zero if quant else 0)), VALID


def _inside(draft: Draft, x: int, out: TensorType, window: Window) -> int:
    """Padding that does not count is SAME; int8 goes through int16, so that it is rounded once."""
    kind = draft.types[x]
    if padding_of(window, kind.shape[1:3], out.shape[1:3]) != SAME:
        raise UnsupportedError("its padding is not counted, in TFLite that is so for SAME alone")
    if kind.quant and not same(kind.quant, out.stored):
        if kind.dtype == "int16":
            raise UnsupportedError("its padding is not counted and its storage changes")
        x = draft.requantized(x, finer(kind.quant))
    wide = replace(draft.types[x], shape=out.shape)
    made = _pool(draft, "AVERAGE_POOL_2D", x, wide, (window, SAME))
    return draft.requantized(made, out.quant)


def finer(quant: Quant) -> Quant:
    """int16 for the values of an int8 storage, 128 times as fine."""
    return Quant("int16", (quant.scale[0] / 128,))


def _ones(draft: Draft, kind: TensorType, window: Window) -> tuple[int, int]:
    """Weights that are the share of each pixel, and no bias. As 127: with 1 the sums would be so
    small that TFLite's first rounding of two is seen.
    """
    channels, share = kind.shape[-1], 1 / math.prod(window.kernel)
    taps = np.full((1, *window.kernel, channels), 127, np.int8)
    scales = (share / 127,) * channels
    bias = np.zeros(channels, np.int64 if kind.dtype == "int16" else np.int32)
    return (
        draft.constant(f"{draft.scope}/ones", taps, Quant("int8", scales), 3),
        draft.constant(
            f"{draft.scope}/bias", bias,
            Quant("int32", tuple(kind.stored.scale[0] * s for s in scales)),
        ),
    )  # fmt: skip
