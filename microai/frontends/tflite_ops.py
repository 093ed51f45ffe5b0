# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators as ops: one small function each, and a table of their names."""

import numpy as np

from microai.frontends import layers, layout
from microai.frontends.arithmetic import Kind, combine
from microai.frontends.builder import Builder, RefusedError, Value, Weight
from microai.frontends.layers import clip, each
from microai.frontends.tflite_axis import (
    arg_max,
    concatenation,
    pad,
    slice_,
    split,
    split_v,
    transpose,
)
from microai.frontends.tflite_call import Call, Importer, fused
from microai.frontends.tflite_fold import pack, shape_of, strided_slice
from microai.frontends.tflite_window import (
    average_pool_2d,
    conv_2d,
    depthwise_conv_2d,
    max_pool_2d,
    mean,
    reduce_max,
    resize_nearest,
    transpose_conv,
)
from microai.ops import Activation, Conv
from microai.ops._functions import Kind as Function


def fully_connected(b: Builder, call: Call) -> Value:
    """One vector, whatever its shape; several rows are a 1x1 convolution."""
    x, w = call.value(0), call.weight(1)
    if call.number("WeightsFormat") or w.array.ndim != 2:
        raise RefusedError(f"its weights are {w.array.shape} in a format of their own", "rows")
    rows, columns = w.array.shape
    count = int(np.prod(x.shape)) // max(columns, 1)
    if count == 1:
        made = layers.dense(b, layout.reshape(b, x, (1, columns)), w, call.maybe(2))
    else:
        image = layout.reshape(b, layout.arranged(b, x), (1, 1, count, columns))
        taps = w.arranged(lambda a: a.reshape(rows, 1, 1, columns))
        made = layers.linear_op(b, Conv(), image, taps, call.maybe(2))
    return layout.reshape(b, fused(b, call, made), call.shapes[0])


def _arithmetic(kind: Kind) -> Importer:
    def run(b: Builder, call: Call) -> Value:
        x, y = call.inputs[:2] if len(call.inputs) == 2 else (None, None)
        if x is None or y is None:
            raise RefusedError(f"it has {len(call.inputs)} operands", "two")
        return fused(b, call, combine(b, kind, x, y))

    return run


def _function(kind: Function) -> Importer:
    return lambda b, call: each(b, Activation(kind), call.value())


def _rectifier(low: float | None, high: float | None) -> Importer:
    return lambda b, call: clip(b, call.value(), low, high)


def gelu(b: Builder, call: Call) -> Value:
    """Exact, or with tanh for the error function."""
    return each(b, Activation("gelu_tanh" if call.number("Approximate") else "gelu"), call.value())


def leaky_relu(b: Builder, call: Call) -> Value:
    """leaky_relu."""
    slope = float(call.options.get("Alpha", 0))
    return each(b, Activation("leaky_relu", slope), call.value())


def softmax(b: Builder, call: Call) -> Value:
    """Over the last axis."""
    if call.options.get("Beta", 1) != 1:
        raise RefusedError(f"its beta is {call.options['Beta']}", "beta 1")
    return layers.softmax(b, call.value(), -1)


def cast(b: Builder, call: Call) -> Value:
    """To what it is."""
    return layers.cast(b, call.value(), call.dtypes[0])


def reshape(b: Builder, call: Call) -> Value:
    """To the shape that the file gives the output."""
    return layout.reshape(b, call.value(), call.shapes[0])


def same(b: Builder, call: Call) -> Value | Weight:
    """Conversions: the output's storage says it all."""
    found = call.inputs[0] if call.inputs else None
    if found is None:
        raise RefusedError("it has no input")
    return Weight(found.name, found.reals) if isinstance(found, Weight) else found


def _limit(*, low: bool) -> Importer:
    """maximum and minimum with a constant."""

    def run(b: Builder, call: Call) -> Value:
        bound = call.weight(1).reals
        if bound.size != 1:
            raise RefusedError(f"its limits are {bound.shape}", "one number")
        limit = float(bound.ravel()[0])
        return clip(b, call.value(), limit if low else None, None if low else limit)

    return run


IMPORTERS: dict[str, Importer] = {
    "ADD": _arithmetic("add"),
    "ARG_MAX": arg_max,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CAST": cast,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": same,
    "DIV": _arithmetic("div"),
    "ELU": _function("elu"),
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "GELU": gelu,
    "HARD_SWISH": _function("hard_swish"),
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": _function("sigmoid"),
    "MAXIMUM": _limit(low=True),
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": mean,
    "MINIMUM": _limit(low=False),
    "MUL": _arithmetic("mul"),
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad,
    "QUANTIZE": same,
    "REDUCE_MAX": reduce_max,
    "RELU": _rectifier(0, None),
    "RELU6": _rectifier(0, 6),
    "RELU_0_TO_1": _rectifier(0, 1),
    "RELU_N1_TO_1": _rectifier(-1, 1),
    "RESHAPE": reshape,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "SHAPE": shape_of,
    "SLICE": slice_,
    "SOFTMAX": softmax,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "SUB": _arithmetic("sub"),
    "TANH": _function("tanh"),
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transpose_conv,
}
"""Importers by the schema's name."""

RECURRENT = (
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
)
INSTEAD = {
    "BATCH_MATMUL": "a fully connected layer",
    "RESIZE_BILINEAR": "RESIZE_NEAREST_NEIGHBOR",
}
"""What to use in place of operators that have no importer."""
