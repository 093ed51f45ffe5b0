# SPDX-License-Identifier: Apache-2.0
"""Pools as operators of a .tflite file. TFLite's keep the storage of their input."""

import math

import numpy as np

from microai.export.tflite_draft import Draft, image, limits, same
from microai.export.tflite_linear import depthwise_of
from microai.export.tflite_padding import (
    SAME,
    VALID,
    bordered,
    padding_of,
    placed,
    strides,
    touched,
)
from microai.graph import Node
from microai.ops import AvgPool, MaxPool
from microai.ops._window import Window
from microai.types import Array, Quant, TensorType


def max_pool(draft: Draft, node: Node) -> int:
    """Padding that is not SAME is the lowest value there is."""
    assert isinstance(node.op, MaxPool)
    window = node.op.window.flat
    lowest = limits((None, None), node.type.quant)[0]
    if node.type.quant is None:
        lowest = float(np.finfo(np.float32).min)
    x, padding = placed(draft, node, window, lowest)
    return _pool(draft, "MAX_POOL_2D", x, image(node), (window, padding))


def avg_pool(draft: Draft, node: Node) -> int:
    """A pool that counts its padding pads first; one that does not is SAME, or is made to."""
    assert isinstance(node.op, AvgPool)
    window, out = node.op.window.flat, image(node)
    x = draft.value(node.inputs[0])
    kind = draft.types[x]
    sides = touched(window, kind.shape[1:3], out.shape[1:3])
    if node.op.count_pads or not any(map(any, sides)):
        return _mean(draft, bordered(draft, x, sides), out, window)
    stays = kind.quant is None or same(kind.quant, out.stored)
    if stays and padding_of(window, kind.shape[1:3], out.shape[1:3]) == SAME:
        return _pool(draft, "AVERAGE_POOL_2D", x, out, (window, SAME))
    counts = node.op.counts(draft.graph[node.inputs[0]].type.shape[1:-1])
    return _weighed(draft, x, out, window, math.prod(window.kernel) / counts)


def _weighed(draft: Draft, x: int, out: TensorType, window: Window, shares: Array) -> int:
    """The mean that counts zeros, times what that makes too small at each pixel. In int16 that is
    two roundings: up to largest share / 2 + 1 steps off.
    """
    x, wide = draft.widened(x, out)
    sides = touched(window, draft.types[x].shape[1:3], out.shape[1:3])
    mean = _mean(draft, bordered(draft, x, sides), wide, window)
    array = shares.reshape(1, *out.shape[1:3], 1)
    quant = wide.quant and Quant("int16", (float(array.max()) / 32767,))
    ints = np.rint(array / quant.scale[0]).astype(np.int16) if quant else array.astype(np.float32)
    factor = draft.constant(f"{draft.scope}/shares", ints, quant)
    return draft.requantized(draft.emit("MUL", [mean, factor], wide), out.quant)


def _mean(draft: Draft, x: int, out: TensorType, window: Window) -> int:
    """AVERAGE_POOL_2D where the storage stays; else one operator that rescales: MEAN where the
    pool is global, a depthwise convolution with equal weights otherwise.
    """
    kind = draft.types[x]
    if kind.quant is None or same(kind.quant, out.stored):
        return _pool(draft, "AVERAGE_POOL_2D", x, out, (window, VALID))
    if window.kernel == kind.shape[1:3]:
        return draft.emit("MEAN", [x, draft.numbers([1, 2])], out, KeepDims=True)
    return depthwise_of(draft, [x, *_equal(draft, kind, window)], out, (window, VALID))


def _pool(draft: Draft, code: str, x: int, out: TensorType, how: tuple[Window, int]) -> int:
    window, padding = how
    return draft.emit(
        code, [x], out, Padding=padding, FilterHeight=window.kernel[0],
        FilterWidth=window.kernel[1], **strides(window),
    )  # fmt: skip


def _equal(draft: Draft, kind: TensorType, window: Window) -> tuple[int, int]:
    """Weights that are the share of each pixel, and no bias. As 127: with 1 the sums would be so
    small that TFLite's first rounding of two is seen.
    """
    channels, share = kind.shape[-1], 1 / math.prod(window.kernel)
    taps = np.full((1, *window.kernel, channels), 127, np.int8)
    scales = (share / 127,) * channels
    zeros = np.zeros(channels, np.int64 if kind.dtype == "int16" else np.int32)
    quant = Quant("int32", tuple(kind.stored.scale[0] * scale for scale in scales))
    return (
        draft.constant(f"{draft.scope}/share", taps, Quant("int8", scales), 3),
        draft.constant(f"{draft.scope}/bias", zeros, quant),
    )
