# SPDX-License-Identifier: Apache-2.0
"""ONNX operators as ops: one small function each, and a table of their names."""

from dataclasses import replace

import numpy as np

from microai.frontends import layers
from microai.frontends.arithmetic import Kind, combine
from microai.frontends.builder import Builder, RefusedError, Value, Weight
from microai.frontends.layers import clip, each
from microai.frontends.onnx_axis import (
    arg_max,
    concat,
    flatten,
    gather,
    pad,
    reshape,
    slice_,
    softmax,
    split,
    squeeze,
    transpose,
    unsqueeze,
)
from microai.frontends.onnx_call import Call, Held, Importer, as_it_lies
from microai.frontends.onnx_file import TYPES
from microai.frontends.onnx_fold import constant, shape_of
from microai.frontends.onnx_quant import (
    dequantize_linear,
    q_gemm,
    qlinear,
    qlinear_concat,
    qlinear_conv,
    qlinear_function,
    qlinear_matmul,
    qlinear_pool,
    qlinear_softmax,
    quantize_linear,
)
from microai.frontends.onnx_window import (
    average_pool,
    conv,
    conv_transpose,
    global_average_pool,
    global_max_pool,
    max_pool,
    reduce_max,
    reduce_mean,
    resize,
)
from microai.frontends.storage import quant_of
from microai.ops import Activation
from microai.ops._functions import Kind as Function

SIXTH = 1 / 6


def gemm(b: Builder, call: Call) -> Value:
    """alpha * A B + beta * C."""
    w, bias = call.weight(1), call.maybe(2)
    if call.number("transA"):
        raise RefusedError("it turns its input", "transA 0")
    w = _scaled(w, call.real("alpha", 1.0))
    bias = None if bias is None else _scaled(bias, call.real("beta", 1.0))
    w = layers.turned(w) if call.number("transB") else w
    if bias is not None and w.array.ndim == 2:
        columns = w.array.shape[1]
        if bias.array.size not in (1, columns):
            raise RefusedError(f"its bias is {bias.array.shape}, its weights {w.array.shape}")
        bias = bias.arranged(lambda a: np.broadcast_to(a.reshape(-1), (columns,)))
    return layers.matrix(b, call.value(), w, bias)


def _scaled(w: Weight, factor: float) -> Weight:
    """Integers stay, and mean that much more."""
    if w.quant is None:
        return Weight(w.name, w.reals * np.float32(factor))
    scales = np.asarray(w.quant.scale) * factor
    return replace(w, quant=quant_of(w.quant.dtype, scales, np.asarray(w.quant.zero), w.quant.axis))


def matmul(b: Builder, call: Call) -> Value:
    """By a constant matrix."""
    return layers.matrix(b, call.value(), call.weight(1), None)


def batch_normalization(b: Builder, call: Call) -> Value:
    """Inputs: x, gamma, beta, mean, variance."""
    if call.number("training_mode") or call.results > 1:
        raise RefusedError("it is in training mode", "an export for inference")
    x, statistics = call.value(), [call.weight(i).reals for i in range(1, 5)]
    channels = x.shape[1] if len(x.shape) > 1 else 0
    if {s.shape for s in statistics} != {(channels,)}:
        sizes = [s.shape for s in statistics]
        raise RefusedError(
            f"its statistics are {sizes}, its input {x.shape} has {channels} channels"
        )
    return layers.batch_norm(b, x, f"{call.name}.", statistics, call.real("epsilon", 1e-5))


def same(b: Builder, call: Call) -> Held:
    """What does nothing at inference."""
    return call.given(0)


def cast(b: Builder, call: Call) -> Value:
    """To what it is."""
    x, kind = call.value(), TYPES.get(call.number("to"), "another type")
    if x.name in b.raw and b.raw[x.name].dtype == kind:
        return x
    return layers.cast(b, x, kind)


def _arithmetic(kind: Kind) -> Importer:
    return lambda b, call: combine(b, kind, call.given(0), call.given(1))


def total(b: Builder, call: Call) -> Held:
    """Sum of any number of tensors."""
    made = call.given(0)
    for position in range(1, len(call.inputs)):
        made = combine(b, "add", made, call.given(position))
    return made


def negated(b: Builder, call: Call) -> Value:
    """-x."""
    zero = Weight(f"{call.name}.zero", np.zeros(1, np.float32))
    return combine(b, "sub", zero, call.value())


def limited(b: Builder, call: Call) -> Value:
    """Clip: attributes before opset 11, inputs since."""
    if call.opset >= 11:
        return clip(b, call.value(), call.scalar(1), call.scalar(2))
    low, high = (call.real(k, d) for k, d in (("min", -np.inf), ("max", np.inf)))
    return clip(b, call.value(), low, high)


def _bound(*, low: bool) -> Importer:
    """Max and Min of a tensor and a number."""

    def run(b: Builder, call: Call) -> Value:
        computed = [i for i in (0, 1) if len(call.inputs) == 2 and isinstance(call.given(i), Value)]
        if len(computed) != 1:
            raise RefusedError("it compares computed tensors", "a tensor and a number")
        limit = call.scalar(1 - computed[0])
        return clip(b, call.value(computed[0]), limit if low else None, None if low else limit)

    return run


def rectified(b: Builder, call: Call) -> Value:
    """Relu."""
    return clip(b, call.value(), 0, None)


def _function(kind: Function) -> Importer:
    return lambda b, call: each(b, Activation(kind), call.value())


def leaky_relu(b: Builder, call: Call) -> Value:
    """leaky_relu."""
    return each(b, Activation("leaky_relu", call.real("alpha", 0.01)), call.value())


def hard_sigmoid(b: Builder, call: Call) -> Value:
    """max(0, min(1, alpha * x + beta)), as PyTorch's where alpha is 1/6."""
    alpha, beta = call.real("alpha", 0.2), call.real("beta", 0.5)
    if abs(alpha - SIXTH) < 1e-6 and beta == 0.5:
        return each(b, Activation("hard_sigmoid"), call.value())
    one, shift = (np.full(1, v, np.float32) for v in (alpha, beta))
    scaled = layers.affine(
        b, call.value(), Weight(f"{call.name}.scale", one), Weight(f"{call.name}.shift", shift)
    )
    return clip(b, scaled, 0, 1)


def elu(b: Builder, call: Call) -> Value:
    """x, or e^x - 1 below 0."""
    if call.real("alpha", 1.0) != 1:
        raise RefusedError(f"its alpha is {call.real('alpha', 1.0)}", "alpha 1")
    return each(b, Activation("elu"), call.value())


def gelu(b: Builder, call: Call) -> Value:
    """Exact, or with tanh for the error function."""
    kind: Function = "gelu_tanh" if call.word("approximate", "none") == "tanh" else "gelu"
    return each(b, Activation(kind), call.value())


IMPORTERS: dict[str, Importer] = {
    "Add": as_it_lies(_arithmetic("add")),
    "ArgMax": as_it_lies(arg_max),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": limited,
    "Concat": as_it_lies(concat),
    "Constant": constant,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DequantizeLinear": dequantize_linear,
    "Div": as_it_lies(_arithmetic("div")),
    "Dropout": same,
    "Elu": elu,
    "Flatten": flatten,
    "Gather": as_it_lies(gather),
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": _function("hard_swish"),
    "Identity": same,
    "LeakyRelu": leaky_relu,
    "MatMul": as_it_lies(matmul),
    "Max": _bound(low=True),
    "MaxPool": max_pool,
    "Min": _bound(low=False),
    "Mul": as_it_lies(_arithmetic("mul")),
    "Neg": negated,
    "Pad": as_it_lies(pad),
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QuantizeLinear": quantize_linear,
    "ReduceMax": as_it_lies(reduce_max),
    "ReduceMean": as_it_lies(reduce_mean),
    "Relu": rectified,
    "Reshape": reshape,
    "Resize": as_it_lies(resize),
    "Shape": shape_of,
    "Sigmoid": _function("sigmoid"),
    "Slice": as_it_lies(slice_),
    "Softmax": as_it_lies(softmax),
    "Split": as_it_lies(split),
    "Squeeze": squeeze,
    "Sub": as_it_lies(_arithmetic("sub")),
    "Sum": as_it_lies(total),
    "Tanh": _function("tanh"),
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": as_it_lies(resize),
    "com.microsoft.DequantizeLinear": dequantize_linear,
    "com.microsoft.Gelu": gelu,
    "com.microsoft.QGemm": q_gemm,
    "com.microsoft.QLinearAdd": qlinear("add"),
    "com.microsoft.QLinearAveragePool": qlinear_pool(whole=False),
    "com.microsoft.QLinearConcat": qlinear_concat,
    "com.microsoft.QLinearGlobalAveragePool": qlinear_pool(whole=True),
    "com.microsoft.QLinearLeakyRelu": qlinear_function(Activation("leaky_relu")),
    "com.microsoft.QLinearMul": qlinear("mul"),
    "com.microsoft.QLinearSigmoid": qlinear_function(Activation("sigmoid")),
    "com.microsoft.QLinearSoftmax": qlinear_softmax,
    "com.microsoft.QuantizeLinear": quantize_linear,
}
"""Importers by operator, with the domain where it is not ONNX's own."""

RECURRENT = ("GRU", "LSTM", "RNN")
INSTEAD = {
    "ConvInteger": "QLinearConv, or QuantizeLinear and DequantizeLinear around Conv",
    "DynamicQuantizeLinear": "static quantization: ranges are measured before",
    "Erf": "an export to opset 20 or newer, which has Gelu",
    "GroupNormalization": "BatchNormalization",
    "InstanceNormalization": "BatchNormalization",
    "LayerNormalization": "BatchNormalization",
    "LogSoftmax": "Softmax, or the logits: the largest is the same",
    "MatMulInteger": "QLinearMatMul",
    "Mish": "x * Sigmoid(x)",
    "PRelu": "LeakyRelu",
    "Selu": "Elu",
    "Softplus": "Elu",
}
"""What to use in place of operators that have no importer."""
