# SPDX-License-Identifier: Apache-2.0
"""PyTorch's ATen operators as ops: one small function each, and a table of their names.

A function gets the builder, the call's arguments by name (tensors as Value, weights as array) and
the shape that torch.export recorded for the result.
"""

import math
from collections.abc import Callable

import numpy as np

from microai.frontends.aten_activation import (
    elu,
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    sigmoid,
    silu,
    tanh,
)
from microai.frontends.aten_axis import argmax, cat, pad, select, slice_axis, split
from microai.frontends.aten_call import Arguments, bias, reshape, weight
from microai.frontends.aten_window import (
    adaptive_avg_pool,
    adaptive_max_pool,
    amax,
    avg_pool,
    conv,
    conv_transpose,
    max_pool,
    mean,
    upsample,
)
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.ops import Add, Dense, DepthwiseConv, Mul, Relu, Softmax, Sub

Importer = Callable[[Builder, Arguments, Shape], Value | tuple[Value, ...]]


def linear(b: Builder, a: Arguments, shape: Shape) -> Value:
    """y = x W^T + b; the columns follow the order in which a flattened feature map lies."""
    x, given = a["input"], weight(a, "weight")
    if len(x.shape) != 2:
        raise RefusedError(f"its input has shape {x.shape}", "flatten to (N, features) first")
    suffix = "" if x.canonical else ".nhwc"
    taps = b.const(given.name + suffix, given.array[:, x.order])
    return b.op(Dense(), (x.name, taps, bias(b, a, given, len(given.array))), shape)


def batch_norm(b: Builder, a: Arguments, shape: Shape) -> Value:
    """At inference a scale and a shift for each channel: a 1x1 depthwise convolution."""
    x = a["input"]
    if not x.canonical or len(x.shape) not in (2, 3, 4):
        raise RefusedError(f"its input has shape {x.shape}, flattened", "BatchNorm before flatten")
    mean, var = (weight(a, key) for key in ("running_mean", "running_var"))
    channels = len(mean.array)
    gamma = a["weight"].array if a.get("weight") else np.ones(channels, np.float32)
    beta = a["bias"].array if a.get("bias") else np.zeros(channels, np.float32)
    scale = gamma / np.sqrt(var.array + a["eps"])
    stem = mean.name.removesuffix("running_mean")
    axes = max(len(x.shape) - 2, 1)
    taps = b.const(f"{stem}scale", scale.reshape(*(1,) * axes, -1))
    shift = b.const(f"{stem}shift", beta - mean.array * scale)
    image = reshape(b, {"self": x}, (1, channels, 1)) if len(x.shape) == 2 else x
    normal = b.op(DepthwiseConv(), (image.name, taps, shift), image.shape)
    return reshape(b, {"self": normal}, shape) if len(x.shape) == 2 else normal


def add(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape."""
    return _sum(b, a, shape, Add())


def sub(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape."""
    return _sum(b, a, shape, Sub())


def _sum(b: Builder, a: Arguments, shape: Shape, op: Add | Sub) -> Value:
    x, y = a["self"], a["other"]
    verb = "adds" if isinstance(op, Add) else "subtracts"
    if not isinstance(x, Value) or not isinstance(y, Value) or x.shape != y.shape:
        raise RefusedError(f"it {verb} a constant or broadcasts", "two tensors of one shape")
    if a["alpha"] != 1:
        raise RefusedError(f"alpha is {a['alpha']}", "alpha 1")
    if not np.array_equal(x.order, y.order):
        raise RefusedError(
            f"it {verb} a flattened feature map and a vector", "the same before flatten"
        )
    return b.op(op, (x.name, y.name), shape, x.order)


def mul(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape, or one factor for each channel, on either side."""
    x, y = a["self"], a["other"]
    if not isinstance(x, Value) or not isinstance(y, Value):
        raise RefusedError("it multiplies by a constant", "BatchNorm for a scale of each channel")
    x, y = (x, y) if x.shape == shape else (y, x)
    factors = (*shape[:2], *(1 for _ in shape[2:]))
    if x.shape != shape or y.shape not in (shape, factors):
        raise RefusedError(
            f"it multiplies {x.shape} by {y.shape}", "one shape, or one factor for each channel"
        )
    alike = np.array_equal(x.order, y.order) if x.shape == y.shape else x.canonical and y.canonical
    if not alike:
        raise RefusedError("it multiplies a flattened feature map", "the same before flatten")
    return b.op(Mul(), (x.name, y.name), shape, x.order)


def relu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu."""
    return _rectify(b, a["self"], (0, None), shape)


def relu6(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu6."""
    return _rectify(b, a["self"], (0, 6), shape)


def hardtanh(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A rectifier with limits."""
    return _rectify(b, a["self"], (a["min_val"], a["max_val"]), shape)


def clamp(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A rectifier with limits."""
    return _rectify(b, a["self"], (a["min"], a.get("max")), shape)


def _rectify(
    b: Builder, x: Value, limits: tuple[float | None, float | None], shape: Shape
) -> Value:
    low, high = (None if end is None or math.isinf(end) else float(end) for end in limits)
    return b.op(Relu(high, low), (x.name,), shape, x.order)


def softmax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Over the channels, which come last here."""
    x = a["self"]
    if len(shape) not in (2, 3, 4) or a["dim"] % len(shape) != 1 or a.get("dtype"):
        raise RefusedError(f"it runs over axis {a['dim']} of {shape}", "axis 1, the channels")
    return b.op(Softmax(), (x.name,), shape, x.order)


def same(b: Builder, a: Arguments, shape: Shape) -> Value:  # noqa: ARG001  an importer like the others
    """What does nothing at inference."""
    if a.get("train") or a.get("training"):
        raise RefusedError("it is in training mode", "module.eval() before export")
    value: Value = a.get("self") or a["input"]
    return value


IMPORTERS: dict[str, Importer] = {
    "conv1d.default": conv,
    "conv1d.padding": conv,
    "conv2d.default": conv,
    "conv2d.padding": conv,
    "conv_transpose1d.default": conv_transpose,
    "conv_transpose2d.input": conv_transpose,
    "linear.default": linear,
    "_native_batch_norm_legit_no_training.default": batch_norm,
    "add.Tensor": add,
    "mul.Tensor": mul,
    "sub.Tensor": sub,
    "relu.default": relu,
    "relu6.default": relu6,
    "hardtanh.default": hardtanh,
    "clamp.default": clamp,
    "clamp_min.default": clamp,
    "max_pool1d.default": max_pool,
    "max_pool2d.default": max_pool,
    "avg_pool1d.default": avg_pool,
    "avg_pool2d.default": avg_pool,
    "adaptive_avg_pool1d.default": adaptive_avg_pool,
    "adaptive_avg_pool2d.default": adaptive_avg_pool,
    "adaptive_max_pool1d.default": adaptive_max_pool,
    "adaptive_max_pool2d.default": adaptive_max_pool,
    "upsample_nearest1d.default": upsample,
    "upsample_nearest1d.vec": upsample,
    "upsample_nearest2d.default": upsample,
    "upsample_nearest2d.vec": upsample,
    "mean.dim": mean,
    "amax.default": amax,
    "flatten.using_ints": reshape,
    "view.default": reshape,
    "reshape.default": reshape,
    "squeeze.dim": reshape,
    "squeeze.dims": reshape,
    "squeeze.default": reshape,
    "unsqueeze.default": reshape,
    "softmax.int": softmax,
    "elu.default": elu,
    "gelu.default": gelu,
    "hardsigmoid.default": hard_sigmoid,
    "hardswish.default": hard_swish,
    "leaky_relu.default": leaky_relu,
    "sigmoid.default": sigmoid,
    "silu.default": silu,
    "tanh.default": tanh,
    "argmax.default": argmax,
    "cat.default": cat,
    "concat.default": cat,
    "pad.default": pad,
    "constant_pad_nd.default": pad,
    "slice.Tensor": slice_axis,
    "select.int": select,
    "split.Tensor": split,
    "split_with_sizes.default": split,
    "dropout.default": same,
    "feature_dropout.default": same,
    "alpha_dropout.default": same,
    "clone.default": same,
    "contiguous.default": same,
    "alias.default": same,
    "detach.default": same,
}
"""Importers by ATen overload."""

INSTEAD = {
    "log_softmax": "Softmax, or the logits: the largest is the same",
    "matmul": "nn.Linear",
    "mm": "nn.Linear",
    "bmm": "nn.Linear",
    "layer_norm": "BatchNorm1d or BatchNorm2d",
    "native_group_norm": "BatchNorm1d or BatchNorm2d",
    "_to_copy": "float32 throughout",
    "lstm": "convolutions over time",
    "gru": "convolutions over time",
    "_native_batch_norm_legit_functional": "module.eval() before export",
    "group_norm": "BatchNorm1d or BatchNorm2d",
    "prelu": "LeakyReLU",
    "selu": "ELU",
    "celu": "ELU",
    "mish": "SiLU",
    "softplus": "ELU",
    "upsample_bilinear2d": "mode='nearest'",
    "upsample_linear1d": "mode='nearest'",
    "permute": "a network that keeps (N, C, H, W)",
    "transpose": "a network that keeps (N, C, H, W)",
}
"""What to use in place of operators that have no importer."""
