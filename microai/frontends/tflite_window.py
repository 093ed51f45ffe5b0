# SPDX-License-Identifier: Apache-2.0
"""TFLite's convolutions and pools: what slides a window over an image."""

import numpy as np

from microai.frontends import layers, layout
from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.tflite_call import Call, fused, sizes
from microai.ops import AvgPool, Conv, ConvTranspose, DepthwiseConv, MaxPool, Resize
from microai.ops.resize import nearest

VALID = 1  # the schema's number for no padding


def _pads(call: Call, image: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
    """Before and after each axis; the odd one goes to the end."""
    if call.number("Padding") == VALID:
        return (0,) * 2 * len(kernel)
    pads: list[int] = []
    for size, taps, step, apart in zip(image, kernel, stride, dilation, strict=True):
        pads += layers.same_pads(size, taps, step, apart)
    return tuple(pads)


def _window(call: Call, x: Value, kernel: Shape) -> tuple[Shape, Shape, Shape]:
    """Stride, pads, dilation."""
    stride, dilation = (
        sizes(call, "StrideH", "StrideW"),
        sizes(call, "DilationHFactor", "DilationWFactor"),
    )
    return stride, _pads(call, layers.spatial(x), kernel, stride, dilation), dilation


def _image(call: Call) -> tuple[Value, Weight]:
    """An image and its filters."""
    x, w = call.value(0), call.weight(1)
    if len(x.shape) != 4 or w.array.ndim != 4:
        raise RefusedError(f"its input is {x.shape}, its filters are {w.array.shape}")
    return x, w


def conv_2d(b: Builder, call: Call) -> Value:
    """Filters O, H, W, I."""
    x, w = _image(call)
    stride, pads, dilation = _window(call, x, w.array.shape[1:3])
    groups = x.shape[3] // max(w.array.shape[3], 1)
    op = Conv(stride, pads, dilation, groups)
    return fused(b, call, layers.linear_op(b, op, x, w, call.maybe(2)))


def depthwise_conv_2d(b: Builder, call: Call) -> Value:
    """Filters 1, H, W, O; more outputs than inputs are a convolution in groups."""
    x, w = _image(call)
    stride, pads, dilation = _window(call, x, w.array.shape[1:3])
    channels, outputs = x.shape[3], w.array.shape[3]
    if w.array.shape[0] != 1 or outputs % channels:
        raise RefusedError(f"its filters are {w.array.shape} for {channels} channels")
    if w.quant and len(w.quant.scale) > 1 and w.quant.axis != 3:
        raise RefusedError(f"its scales lie along axis {w.quant.axis}", "axis 3")
    if outputs == channels:
        taps = w.arranged(lambda a: a[0], axis=2)
        op: DepthwiseConv | Conv = DepthwiseConv(stride, pads, dilation)
    else:
        taps = w.arranged(lambda a: a.transpose(3, 1, 2, 0), axis=0)
        op = Conv(stride, pads, dilation, channels)
    return fused(b, call, layers.linear_op(b, op, x, taps, call.maybe(2)))


def transpose_conv(b: Builder, call: Call) -> Value:
    """Inputs: output shape, filters O, H, W, I, image, bias; what SAME cuts off is halved."""
    w, x = call.weight(1), call.value(2)
    if len(x.shape) != 4 or w.array.ndim != 4 or len(call.shapes[0]) != 4:
        raise RefusedError(f"its input is {x.shape}, its filters are {w.array.shape}")
    stride = sizes(call, "StrideH", "StrideW")
    pads: list[int] = []
    axes = zip(x.shape[1:3], call.shapes[0][1:3], stride, w.array.shape[1:3], strict=True)
    for size, out, step, taps in axes:
        total = (size - 1) * step + taps - out
        before = max(total, 0) // 2
        pads += [before, total - before]
    op = ConvTranspose(stride, tuple(pads))
    return fused(b, call, layers.linear_op(b, op, x, w, call.maybe(3)))


def _pool(b: Builder, call: Call, kind: type[AvgPool] | type[MaxPool]) -> Value:
    x = call.value()
    kernel, stride = sizes(call, "FilterHeight", "FilterWidth"), sizes(call, "StrideH", "StrideW")
    if len(x.shape) != 4:
        raise RefusedError(f"its input is {x.shape}", "an image (1, H, W, C)")
    pads = _pads(call, layers.spatial(x), kernel, stride, (1, 1))
    uncounted = {"count_pads": False} if kind is AvgPool else {}
    return fused(b, call, layers.pooled(b, kind(kernel, stride, pads, **uncounted), x))


def average_pool_2d(b: Builder, call: Call) -> Value:
    """Padding does not count."""
    return _pool(b, call, AvgPool)


def max_pool_2d(b: Builder, call: Call) -> Value:
    """max_pool_2d."""
    return _pool(b, call, MaxPool)


def _reduced(b: Builder, call: Call, kind: type[AvgPool] | type[MaxPool]) -> Value:
    x = call.value()
    rank = len(x.shape)
    axes = set(call.axes(1, rank))
    if rank not in (3, 4) or not axes <= set(range(1, rank - 1)):
        raise RefusedError(f"it reduces axes {sorted(axes)} of {x.shape}", "the image's axes")
    kernel = tuple(x.shape[i] if i in axes else 1 for i in range(1, rank - 1))
    return layout.reshape(b, layers.pooled(b, kind(kernel, kernel), x), call.shapes[0])


def mean(b: Builder, call: Call) -> Value:
    """Over axes of the image it is a pool."""
    return _reduced(b, call, AvgPool)


def reduce_max(b: Builder, call: Call) -> Value:
    """Over axes of the image it is a pool."""
    return _reduced(b, call, MaxPool)


def resize_nearest(b: Builder, call: Call) -> Value:
    """Where the file's way to choose a pixel is ours."""
    x, sizes = call.value(), tuple(call.ints(1))
    if len(x.shape) != 4 or len(sizes) != 2 or call.number("AlignCorners"):
        raise RefusedError(f"it stretches {x.shape} to {sizes}, corners aligned", "an image")
    half = 0.5 if call.number("HalfPixelCenters") else 0.0
    for before, after in zip(x.shape[1:3], sizes, strict=True):
        if not 1 <= after <= layout.LARGEST_SIZE:
            raise RefusedError(f"it stretches {x.shape} to {sizes}", "positive sizes")
        chosen = np.floor((np.arange(after) + half) * np.float32(before / after))
        if not np.array_equal(chosen.clip(max=before - 1), nearest(before, after)):
            raise RefusedError(
                f"it stretches {before} pixels to {after} unevenly", "a whole factor"
            )
    x = layers.image(b, x)
    return b.op(Resize(sizes), (x.name,), (1, *sizes, x.shape[3]))
