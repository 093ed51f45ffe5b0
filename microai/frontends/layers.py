# SPDX-License-Identifier: Apache-2.0
"""Layers shared by all frontends: weights come in as Weight, tensors as Value.

Window shapes are the model's; weights arrive as our ops want them (op.py of each).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.layout import arranged, reshape, shaped, transpose
from microai.frontends.storage import centered
from microai.op import Op
from microai.ops import ArgMax, AvgPool, Conv, Dense, DepthwiseConv, MaxPool, Relu, Reshape, Softmax
from microai.types import Array


def image(b: Builder, x: Value) -> Value:
    """A signal or an image, its channels last here."""
    if len(x.shape) not in (3, 4) or x.shape[0] != 1:
        wanted = "(1, C, L) or (1, C, H, W)" if x.layout == "first" else "(1, L, C) or (1, H, W, C)"
        raise RefusedError(f"its input has shape {x.shape}", f"a signal or an image {wanted}")
    return arranged(b, x)


def spatial_axes(x: Value) -> range:
    """The axes that are neither batch nor channels."""
    return range(2, len(x.shape)) if x.layout == "first" else range(1, len(x.shape) - 1)


def spatial(x: Value) -> Shape:
    """Their sizes."""
    return tuple(x.shape[axis] for axis in spatial_axes(x))


def same_pads(size: int, taps: int, step: int, apart: int) -> tuple[int, int]:
    """The padding that makes ceil(size / step) windows: the smaller and the larger half."""
    total = max((-(-size // step) - 1) * step + (taps - 1) * apart + 1 - size, 0)
    return total // 2, total - total // 2


def windowed(x: Value, sizes: Shape, channels: int) -> Shape:
    """The model's shape of an image with other sizes."""
    return (1, channels, *sizes) if x.layout == "first" else (1, *sizes, channels)


def convolution(b: Builder, op: Conv, x: Value, w: Weight, bias: Weight | None) -> Value:
    """w (O, I / groups, kernel ...); one input channel and one filter a group is depthwise."""
    w = centered(w, 0)
    if op.groups == len(w.array) == w.array.shape[1] * op.groups > 1:
        depthwise = DepthwiseConv(op.stride, op.pads, op.dilation)
        last = w.array.ndim - 2
        taps = w.arranged(lambda a: a[:, 0].transpose(*range(1, last + 1), 0), axis=last)
        return linear_op(b, depthwise, x, taps, bias)
    taps = w.arranged(lambda a: a.transpose(0, *range(2, a.ndim), 1))
    return linear_op(b, op, x, taps, bias)


def linear_op(b: Builder, op: Op, x: Value, w: Weight, bias: Weight | None) -> Value:
    """A convolution of any kind over an image; no bias is zeros."""
    x = image(b, x)
    axis = op.CHANNEL_AXIS[1] % w.array.ndim
    channels = w.array.shape[axis]
    names = (x.name, b.const(centered(w, axis)), b.const(bias or zeros(w, channels)))
    kind = op.infer(*(b.nodes[name].type for name in names))
    return b.op(op, names, windowed(x, kind.shape[1:-1], channels))


def dense(b: Builder, x: Value, w: Weight, bias: Weight | None) -> Value:
    """w (O, I) over a vector; the columns follow the order in which a feature map lies."""
    if len(x.shape) != 2 or x.shape[0] != 1:
        raise RefusedError(f"its input has shape {x.shape}", "flatten to (1, features) first")
    if w.array.ndim != 2 or w.array.shape[1] != x.shape[1]:
        raise RefusedError(f"its weights are {w.array.shape}, its input is {x.shape}")
    w = centered(w, 0)
    if x.moved is not None:
        w = replace(w.arranged(lambda array: array[:, x.order]), name=f"{w.name}.nhwc")
    offset = b.const(bias or zeros(w, len(w.array)))
    return b.op(Dense(), (shaped(b, x).name, b.const(w), offset), (1, len(w.array)))


def zeros(beside: Weight, channels: int) -> Weight:
    """The bias of a layer that has none."""
    return Weight(f"{beside.name.removesuffix('weight')}bias", np.zeros(channels, np.float32))


def affine(b: Builder, x: Value, scale: Weight, shift: Weight) -> Value:
    """scale * x + shift for each channel: a 1x1 depthwise convolution.

    `scale` and `shift` have one value, or one for each channel.
    """
    if len(x.shape) not in (2, 3, 4):
        raise RefusedError(f"its input has shape {x.shape}", "one of 2 to 4 axes")
    x = arranged(b, x)
    channels = x.shape[1] if x.layout == "first" else x.shape[-1]
    whole = (1, channels, 1) if x.layout == "first" else (1, 1, channels)
    plane = reshape(b, x, whole) if len(x.shape) == 2 else x
    ones = (1,) * (len(plane.shape) - 2)
    taps = _spread(scale, channels).arranged(lambda a: a.reshape(*ones, -1), axis=len(ones))
    names = (shaped(b, plane).name, b.const(taps), b.const(_spread(shift, channels)))
    normal = b.op(DepthwiseConv(), names, plane.shape)
    return reshape(b, normal, x.shape)


def _spread(given: Weight, channels: int) -> Weight:
    if given.array.size not in (1, channels):
        raise RefusedError(f"its constant is {given.array.shape} for {channels} channels")
    return given.arranged(lambda a: np.broadcast_to(a.reshape(-1), (channels,)))


def batch_norm(
    b: Builder, x: Value, stem: str, statistics: Sequence[Array], epsilon: float
) -> Value:
    """(x - mean) / sqrt(var + epsilon) * gamma + beta; statistics: gamma, beta, mean, var."""
    gamma, beta, mean, var = (np.asarray(one, np.float32) for one in statistics)
    if not np.all(var + epsilon > 0):
        raise RefusedError("its variance is negative")
    scale = gamma / np.sqrt(var + epsilon)
    return affine(b, x, Weight(f"{stem}scale", scale), Weight(f"{stem}shift", beta - mean * scale))


def each(b: Builder, op: Op, x: Value) -> Value:
    """A function of each element."""
    return b.op(op, (x.name,), x.shape, x.moved)


def clip(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    """min(max(x, low), high); None and infinities limit nothing."""
    if any(end is not None and np.isnan(end) for end in (low, high)):
        raise RefusedError("one of its limits is no number", "numbers")
    ends = [None if end is None or np.isinf(end) else float(end) for end in (low, high)]
    return x if ends == [None, None] else each(b, Relu(low=ends[0], limit=ends[1]), x)


def pooled(b: Builder, op: AvgPool | MaxPool, x: Value) -> Value:
    """A pool over an image."""
    x = image(b, x)
    kind = op.infer(b.nodes[x.name].type)
    return b.op(op, (x.name,), windowed(x, kind.shape[1:-1], kind.shape[-1]))


def pooled_globally(b: Builder, kind: type[AvgPool] | type[MaxPool], x: Value) -> Value:
    """One value for each channel."""
    x = image(b, x)
    return pooled(b, kind(spatial(x), spatial(x)), x)


def softmax(b: Builder, x: Value, axis: int) -> Value:
    """Over the channels, which come last here."""
    x = arranged(b, x)
    last = 1 if x.layout == "first" or len(x.shape) == 2 else len(x.shape) - 1
    if len(x.shape) not in (2, 3, 4) or axis % len(x.shape) != last:
        raise RefusedError(f"it runs over axis {axis} of {x.shape}", f"axis {last}, the channels")
    return b.op(Softmax(), (x.name,), x.shape)


def arg_max(b: Builder, x: Value, axis: int, *, keep: bool) -> Value:
    """Over the channels, which come last here."""
    rank = len(x.shape)
    x = arranged(b, x)
    last = 1 if x.layout == "first" else rank - 1
    if axis % rank != last:
        raise RefusedError(f"it runs over axis {axis} of {x.shape}", f"axis {last}, the channels")
    if not keep and rank == 4 and x.layout == "first":
        raise RefusedError("it takes the channel axis off an image", "one that keeps the axis")
    whole = tuple(1 if i == last else size for i, size in enumerate(x.shape))
    largest = b.op(ArgMax(), (x.name,), whole)
    return (
        largest if keep else reshape(b, largest, tuple(s for i, s in enumerate(whole) if i != last))
    )


def is_index(b: Builder, x: Value) -> bool:
    """Whether a tensor holds what `arg_max` makes."""
    node = b.nodes[x.name]
    while isinstance(node.op, Reshape):
        node = b.nodes[node.inputs[0]]
    return isinstance(node.op, ArgMax)


def cast(b: Builder, x: Value, dtype: str) -> Value:
    """Numbers stay float32, indices what they are."""
    indices = is_index(b, x)
    if dtype not in ("int32", "int64") if indices else dtype != "float32":
        raise RefusedError(f"it converts to {dtype}", "float32 throughout")
    return x


def turned(w: Weight) -> Weight:
    """A matrix (O, I) as (I, O), or back; scales stay with their channels."""
    if w.array.ndim != 2:
        raise RefusedError(f"its weights are {w.array.shape}", "a matrix")
    return w.arranged(lambda a: a.T, axis=1 - (w.quant.axis if w.quant else 0))


def matrix(b: Builder, x: Value, w: Weight, bias: Weight | None) -> Value:
    """x times w (I, O) along the last axis."""
    if w.array.ndim != 2 or w.array.shape[0] != x.shape[-1]:
        raise RefusedError(f"it multiplies {x.shape} by {w.array.shape}", "a constant matrix")
    rows = turned(centered(w, 1))
    if len(x.shape) == 2:
        return dense(b, x, rows, bias)
    if len(x.shape) not in (3, 4):
        raise RefusedError(f"its input has shape {x.shape}", "a vector, or rows of features")
    ones = (1,) * (len(x.shape) - 2)
    taps = rows.arranged(lambda a: a.reshape(len(a), *ones, -1))
    if x.layout == "last":
        return linear_op(b, Conv(), x, taps, bias)
    rank = len(x.shape)
    signal = transpose(b, x, (0, rank - 1, *range(1, rank - 1)))
    return transpose(b, linear_op(b, Conv(), signal, taps, bias), (0, *range(2, rank), 1))
