# SPDX-License-Identifier: Apache-2.0
"""PyTorch's ATen operators as ops: one small function each, and a table of their names.

A function gets the builder, the call's arguments by name (tensors as Value, weights as array) and
the shape that torch.export recorded for the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microai.frontends.builder import (
    Builder,
    RefusedError,
    Shape,
    Value,
    canonical_order,
    deployed_shape,
)
from microai.ops import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    MaxPool2d,
    Relu,
    Reshape,
    Softmax,
)
from microai.types import Array

Arguments = dict[str, Any]
Importer = Callable[[Builder, Arguments, Shape], Value]


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer, with its name in the module."""

    name: str
    array: Array


def _image(a: Arguments, key: str) -> Value:
    """An argument that must be a feature map lying as deployed ones do."""
    value: Value = a[key]
    if len(value.shape) != 4:
        raise RefusedError(f"its input has shape {value.shape}", "a 4-D input (N, C, H, W)")
    if not value.canonical:
        raise RefusedError("its input is a flattened feature map under another shape")
    return value


def _weight(a: Arguments, key: str) -> Weight:
    weight = a[key]
    if not isinstance(weight, Weight):
        raise RefusedError(f"its {key} is computed at run time", "a parameter or buffer")
    return weight


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    return (pair[0], pair[-1])


def _pads(padding: str | Sequence[int], kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":  # the odd one goes to the end
        before = [(k - 1) // 2 for k in kernel]
        after = [k - 1 - b for k, b in zip(kernel, before, strict=True)]
        return (before[0], after[0], before[1], after[1])
    height, width = _pair([int(p) for p in padding])
    return (height, height, width, width)


def _bias(b: Builder, a: Arguments, weight: Weight, channels: int) -> str:
    """The bias's node; zeros where there is none."""
    if a.get("bias") is None:
        stem = weight.name.removesuffix("weight")
        return b.const(f"{stem}bias", np.zeros(channels, np.float32))
    bias = _weight(a, "bias")
    return b.const(bias.name, bias.array)


def conv2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """conv2d.default and conv2d.padding."""
    x, weight = _image(a, "input"), _weight(a, "weight")
    if set(a["dilation"]) != {1}:
        raise RefusedError(f"dilation is {tuple(a['dilation'])}", "dilation 1")
    w = weight.array
    out_c, _, *kernel = w.shape
    pads = _pads(a["padding"], (kernel[0], kernel[1]))
    bias = _bias(b, a, weight, out_c)
    if a["groups"] == out_c == x.shape[1] and out_c > 1:
        taps = b.const(weight.name, w[:, 0].transpose(1, 2, 0))
        op = DepthwiseConv2d(_pair(a["stride"]), pads)
        return b.op(op, (x.name, taps, bias), shape)
    taps = b.const(weight.name, w.transpose(0, 2, 3, 1))
    return b.op(Conv2d(_pair(a["stride"]), pads, a["groups"]), (x.name, taps, bias), shape)


def linear(b: Builder, a: Arguments, shape: Shape) -> Value:
    """y = x W^T + b; the columns follow the order in which a flattened feature map lies."""
    x, weight = a["input"], _weight(a, "weight")
    if len(x.shape) != 2:
        raise RefusedError(f"its input has shape {x.shape}", "flatten to (N, features) first")
    suffix = "" if x.canonical else ".nhwc"
    taps = b.const(weight.name + suffix, weight.array[:, x.order])
    return b.op(Dense(), (x.name, taps, _bias(b, a, weight, len(weight.array))), shape)


def batch_norm(b: Builder, a: Arguments, shape: Shape) -> Value:
    """At inference a scale and a shift for each channel: a 1x1 depthwise convolution."""
    x = a["input"]
    if not x.canonical or len(x.shape) not in (2, 4):
        raise RefusedError(f"its input has shape {x.shape}, flattened", "BatchNorm before flatten")
    mean, var = (_weight(a, key) for key in ("running_mean", "running_var"))
    channels = len(mean.array)
    gamma = a["weight"].array if a.get("weight") else np.ones(channels, np.float32)
    beta = a["bias"].array if a.get("bias") else np.zeros(channels, np.float32)
    scale = gamma / np.sqrt(var.array + a["eps"])
    stem = mean.name.removesuffix("running_mean")
    taps = b.const(f"{stem}scale", scale.reshape(1, 1, -1))
    shift = b.const(f"{stem}shift", beta - mean.array * scale)
    image = reshape(b, {"self": x}, (1, channels, 1, 1)) if len(x.shape) == 2 else x
    normal = b.op(DepthwiseConv2d(), (image.name, taps, shift), image.shape)
    return reshape(b, {"self": normal}, shape) if len(x.shape) == 2 else normal


def add(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape."""
    x, y = a["self"], a["other"]
    if not isinstance(x, Value) or not isinstance(y, Value) or x.shape != y.shape:
        raise RefusedError("it adds a constant or broadcasts", "two tensors of one shape")
    if a["alpha"] != 1:
        raise RefusedError(f"alpha is {a['alpha']}", "alpha 1")
    if not np.array_equal(x.order, y.order):
        raise RefusedError("it adds a flattened feature map to a vector", "add before flatten")
    return b.op(Add(), (x.name, y.name), shape, x.order)


def relu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu."""
    return _rectify(b, a["self"], (0, None), shape)


def relu6(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu6."""
    return _rectify(b, a["self"], (0, 6), shape)


def hardtanh(b: Builder, a: Arguments, shape: Shape) -> Value:
    """hardtanh from 0 is a rectifier with a limit."""
    return _rectify(b, a["self"], (a["min_val"], a["max_val"]), shape)


def clamp(b: Builder, a: Arguments, shape: Shape) -> Value:
    """clamp from 0 is a rectifier with a limit."""
    return _rectify(b, a["self"], (a["min"], a.get("max")), shape)


def _rectify(
    b: Builder, x: Value, limits: tuple[float | None, float | None], shape: Shape
) -> Value:
    low, high = limits
    if low != 0 or (high is not None and high <= 0):
        raise RefusedError(f"it limits to {low}..{high}", "limits from 0 up, as in ReLU and ReLU6")
    return b.op(Relu(None if high is None else float(high)), (x.name,), shape, x.order)


def max_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """max_pool2d; the recorded shape shows whether ceil_mode did anything."""
    x = _image(a, "self")
    if set(a["dilation"]) != {1}:
        raise RefusedError(f"dilation is {tuple(a['dilation'])}", "dilation 1")
    kernel = _pair(a["kernel_size"])
    stride = _pair(a["stride"] or kernel)
    op = MaxPool2d(kernel, stride, _pads(a["padding"], kernel))
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def avg_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """avg_pool2d."""
    x = _image(a, "self")
    if a["divisor_override"] is not None:
        raise RefusedError("divisor_override is set", "the window's own size")
    kernel = _pair(a["kernel_size"])
    stride = _pair(a["stride"] or kernel)
    op = AvgPool2d(kernel, stride, _pads(a["padding"], kernel), a["count_include_pad"])
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def _pooled(b: Builder, op: MaxPool2d | AvgPool2d, x: Value, shape: Shape, *, ceil: bool) -> Value:
    deployed = op.infer(b.nodes[x.name].type).shape
    if ceil and deployed != deployed_shape(shape):
        raise RefusedError("ceil_mode adds a partial window", "ceil_mode=False, or pad explicitly")
    return b.op(op, (x.name,), shape)


def adaptive_avg_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Windows of one size, where the output divides the input."""
    x, kernel = _divided(a, shape)
    return b.op(AvgPool2d(kernel, kernel), (x.name,), shape)


def adaptive_max_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Windows of one size, where the output divides the input."""
    x, kernel = _divided(a, shape)
    return b.op(MaxPool2d(kernel, kernel), (x.name,), shape)


def _divided(a: Arguments, shape: Shape) -> tuple[Value, tuple[int, int]]:
    x = _image(a, "self")
    height, width = x.shape[2:]
    if height % shape[2] or width % shape[3]:
        raise RefusedError(
            f"{shape[2:]} does not divide {x.shape[2:]}", "an output size that divides the input"
        )
    return x, (height // shape[2], width // shape[3])


def mean(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A mean over height and width pools globally."""
    return _global(b, a, shape, AvgPool2d)


def amax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A maximum over height and width pools globally."""
    return _global(b, a, shape, MaxPool2d)


def _global(
    b: Builder, a: Arguments, shape: Shape, kind: type[AvgPool2d] | type[MaxPool2d]
) -> Value:
    x = _image(a, "self")
    if {d % 4 for d in a["dim"] or ()} != {2, 3} or a.get("dtype"):
        raise RefusedError(f"it reduces over {a['dim']}", "height and width, dim=(2, 3)")
    kernel = (x.shape[2], x.shape[3])
    pooled = b.op(kind(kernel, kernel), (x.name,), (*x.shape[:2], 1, 1))
    return pooled if len(shape) == 4 else reshape(b, {"self": pooled}, shape)


def reshape(b: Builder, a: Arguments, shape: Shape) -> Value:
    """flatten, view, reshape, squeeze, unsqueeze: the elements stay where they are."""
    x = a["self"]
    if shape[:1] != (1,):
        raise RefusedError(f"it makes {shape}", "a shape that keeps the batch axis")
    plain = np.array_equal(x.order, canonical_order(shape))
    if not plain and len(shape) == 4:
        raise RefusedError(f"{x.shape} to {shape} moves elements", "keep channels and image apart")
    return b.op(Reshape(deployed_shape(shape)), (x.name,), shape, x.order)


def softmax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Over the channels, which come last here."""
    x = a["self"]
    if a["dim"] % len(shape) != 1 or a.get("dtype"):
        raise RefusedError(f"it runs over axis {a['dim']}", "axis 1, the channels")
    return b.op(Softmax(), (x.name,), shape, x.order)


def same(b: Builder, a: Arguments, shape: Shape) -> Value:  # noqa: ARG001  an importer like the others
    """What does nothing at inference."""
    if a.get("train") or a.get("training"):
        raise RefusedError("it is in training mode", "module.eval() before export")
    value: Value = a.get("self") or a["input"]
    return value


IMPORTERS: dict[str, Importer] = {
    "conv2d.default": conv2d,
    "conv2d.padding": conv2d,
    "linear.default": linear,
    "_native_batch_norm_legit_no_training.default": batch_norm,
    "add.Tensor": add,
    "relu.default": relu,
    "relu6.default": relu6,
    "hardtanh.default": hardtanh,
    "clamp.default": clamp,
    "clamp_min.default": clamp,
    "max_pool2d.default": max_pool2d,
    "avg_pool2d.default": avg_pool2d,
    "adaptive_avg_pool2d.default": adaptive_avg_pool2d,
    "adaptive_max_pool2d.default": adaptive_max_pool2d,
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
    "conv1d": "Conv2d on (N, C, 1, L) with a (1, k) kernel",
    "max_pool1d": "MaxPool2d on (N, C, 1, L)",
    "avg_pool1d": "AvgPool2d on (N, C, 1, L)",
    "log_softmax": "Softmax, or the logits: the largest is the same",
    "mul": "BatchNorm2d for a scale of each channel",
    "cat": "an Add of equal shapes",
    "matmul": "nn.Linear",
    "mm": "nn.Linear",
    "bmm": "nn.Linear",
    "gelu": "ReLU",
    "silu": "ReLU",
    "hardswish": "ReLU6",
    "leaky_relu": "ReLU",
    "sigmoid": "Softmax over two classes",
    "layer_norm": "BatchNorm2d",
    "native_group_norm": "BatchNorm2d",
    "_to_copy": "float32 throughout",
    "conv_transpose2d": "Conv2d",
    "permute": "a network that keeps (N, C, H, W)",
    "transpose": "a network that keeps (N, C, H, W)",
}
"""What to use in place of operators that have no importer."""
