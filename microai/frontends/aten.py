# SPDX-License-Identifier: Apache-2.0
"""PyTorch's ATen operators as ops: one small function each, and a table of their names.

A function gets the builder, the call's arguments by name (tensors as Value, weights as array) and
the shape that torch.export recorded for the result.
"""

from collections.abc import Callable

import numpy as np

from microai.frontends import layers
from microai.frontends.arithmetic import Kind, combine
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
from microai.frontends.aten_axis import (
    argmax,
    cat,
    pad,
    permute,
    reshape,
    select,
    slice_axis,
    split,
    transpose,
)
from microai.frontends.aten_call import Arguments, bias, weight
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
from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.layers import clip, dense

Importer = Callable[[Builder, Arguments, Shape], Value | tuple[Value, ...]]


def linear(b: Builder, a: Arguments, shape: Shape) -> Value:
    """y = x W^T + b."""
    return dense(b, a["input"], weight(a, "weight"), bias(a))


def batch_norm(b: Builder, a: Arguments, shape: Shape) -> Value:
    """At inference a scale and a shift for each channel."""
    mean, var = (weight(a, key) for key in ("running_mean", "running_var"))
    gamma = a["weight"].array if a.get("weight") else np.ones(len(mean.array), np.float32)
    beta = a["bias"].array if a.get("bias") else np.zeros(len(mean.array), np.float32)
    stem = mean.name.removesuffix("running_mean")
    statistics = (gamma, beta, mean.array, var.array)
    return layers.batch_norm(b, a["input"], stem, statistics, a["eps"])


def add(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape, or a constant."""
    return _combined(b, "add", a)


def sub(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape, or a constant."""
    return _combined(b, "sub", a)


def rsub(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A constant minus a tensor."""
    return _combined(b, "sub", {**a, "self": a["other"], "other": a["self"]})


def mul(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two tensors of one shape, a factor for each channel, or a constant."""
    return _combined(b, "mul", a)


def div(b: Builder, a: Arguments, shape: Shape) -> Value:
    """By a constant."""
    return _combined(b, "div", a)


def _combined(b: Builder, kind: Kind, a: Arguments) -> Value:
    if a.get("alpha", 1) != 1:
        raise RefusedError(f"alpha is {a['alpha']}", "alpha 1")
    if a.get("rounding_mode"):
        raise RefusedError(f"rounding_mode is {a['rounding_mode']}", "true division")
    x, y = (_operand(b, a[key]) for key in ("self", "other"))
    return combine(b, kind, x, y)


def _operand(b: Builder, given: Value | Weight | float) -> Value | Weight:
    if isinstance(given, Value | Weight):
        return given
    return Weight(f"{b.place}.constant", np.asarray(given, np.float32))


def relu(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu."""
    return clip(b, a["self"], 0, None)


def relu6(b: Builder, a: Arguments, shape: Shape) -> Value:
    """relu6."""
    return clip(b, a["self"], 0, 6)


def hardtanh(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A rectifier with limits."""
    return clip(b, a["self"], a["min_val"], a["max_val"])


def clamp(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A rectifier with limits."""
    return clip(b, a["self"], a["min"], a.get("max"))


def softmax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Over the channels."""
    if a.get("dtype"):
        raise RefusedError(f"its dtype is {a['dtype']}", "float32")
    return layers.softmax(b, a["self"], a["dim"])


def same(b: Builder, a: Arguments, shape: Shape) -> Value:
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
    "rsub.Scalar": rsub,
    "div.Tensor": div,
    "div.Tensor_mode": div,
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
    "_unsafe_view.default": reshape,
    "reshape.default": reshape,
    "permute.default": permute,
    "transpose.int": transpose,
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
}
"""What to use in place of operators that have no importer."""
