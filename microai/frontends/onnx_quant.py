# SPDX-License-Identifier: Apache-2.0
"""ONNX's quantization: conversions between numbers and integers, and operators on integers, which
are the same as conversions around the plain operator.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from microai.frontends import layers
from microai.frontends.arithmetic import Kind, combine
from microai.frontends.builder import Builder, Raw, RefusedError, Value, Weight
from microai.frontends.layers import each
from microai.frontends.layout import join
from microai.frontends.onnx_axis import softmax
from microai.frontends.onnx_call import Call, Held, axis_of
from microai.frontends.onnx_window import average_pool, conv, global_average_pool
from microai.frontends.storage import check_scales, quant_of, weight_of
from microai.op import Input
from microai.ops import Activation, Dequantize, Quantize
from microai.types import Quant, TensorType


def quantize_linear(b: Builder, call: Call) -> Held:
    """Numbers to integers; zero point and type come as the third input."""
    zero = call.maybe(2)
    return quantized(b, call.given(0), _quant(call, 1, "uint8"), _dtype(zero))


def dequantize_linear(b: Builder, call: Call) -> Held:
    """Integers to numbers."""
    x = call.given(0)
    plain = str(x.array.dtype) if isinstance(x, Weight) and x.quant is None else "uint8"
    own = b.raw[x.name].dtype if isinstance(x, Value) and x.name in b.raw else plain
    return dequantized(b, x, _quant(call, 1, own))


def _dtype(zero: Weight | None) -> str:
    """Of integers with that zero point."""
    return str(zero.array.dtype) if zero else "uint8"


def _quant(call: Call, position: int, dtype: str) -> Quant:
    """Scale and zero point at two neighbouring inputs; `dtype` where there is no zero point."""
    scale, zero = call.weight(position), call.maybe(position + 1)
    if call.number("block_size"):
        raise RefusedError("it has a scale for each block", "one for each channel")
    if zero is None:
        return quant_of(dtype, scale.array, np.zeros(1, np.int64), _axis(call, scale))
    return quant_of(_dtype(zero), scale.array, zero.array, _axis(call, scale))


def _axis(call: Call, scale: Weight) -> int:
    """Of the scales, in the tensor that they are for."""
    if scale.array.size == 1 or not isinstance(call.given(0), Weight):
        return 0
    return axis_of(call.number("axis", 1), max(call.weight(0).array.ndim, 1))


def quantized(b: Builder, x: Held, quant: Quant, dtype: str) -> Held:
    """A tensor in a storage, which the model calls `dtype`."""
    if isinstance(x, Value):
        if len(quant.scale) > 1:
            raise RefusedError("an activation has a scale for each channel", "one scale")
        b.place = f"{x.name}.{quant.dtype}"
        made = b.op(Quantize(), (x.name,), x.shape, x.moved, quant)
        b.raw[made.name] = Raw(dtype, quant)
        return made
    check_scales(x.name, x.array, quant)
    shape = [1] * x.array.ndim
    if len(quant.scale) > 1:
        shape[quant.axis] = -1
    steps = np.rint(x.reals / np.asarray(quant.scale, np.float32).reshape(shape)) + quant.zero
    ints = np.clip(np.nan_to_num(steps), quant.low, quant.high).astype(quant.dtype)
    return weight_of(x.name, ints, quant)


def dequantized(b: Builder, x: Held, quant: Quant) -> Held:
    """What integers mean; a tensor has one meaning."""
    own = x.quant if isinstance(x, Weight) else b.raw[x.name].quant if x.name in b.raw else quant
    if own not in (None, quant):
        raise RefusedError("its scale is not the one it was quantized with", "the same")
    if isinstance(x, Weight):
        return x if x.quant else weight_of(x.name, x.array, quant)
    if x.name not in b.raw:
        raise RefusedError("it dequantizes what is no integer", "QuantizeLinear in front")
    node = b.nodes[x.name]
    if isinstance(node.op, Input):
        b.nodes[x.name] = replace(node, type=TensorType(node.type.shape, quant))
    elif node.type.quant is None:  # integers that were moved
        b.place = f"{x.name}.{quant.dtype}"
        x = b.op(Quantize(), (x.name,), x.shape, x.moved, quant)
    b.raw[x.name] = Raw(b.raw[x.name].dtype if x.name in b.raw else quant.dtype, quant)
    b.place = f"{x.name}.real"
    return b.op(Dequantize(), (x.name,), x.shape, x.moved)


def _value(held: Held) -> Value:
    if not isinstance(held, Value):
        raise RefusedError("its input is constant", "a computed tensor")
    return held


def _read(b: Builder, call: Call, position: int) -> Held:
    """An operand that stands with its scale and zero point behind it."""
    scale, zero = call.weight(position + 1), call.weight(position + 2)
    x = call.given(position)
    axis = 0 if scale.array.size == 1 or isinstance(x, Value) else _channels(x, scale)
    return dequantized(b, x, quant_of(_dtype(zero), scale.array, zero.array, axis))


def _channels(x: Weight, scale: Weight) -> int:
    """The output channels of filters come first, those of a matrix last."""
    return 0 if x.array.ndim > 2 else int(x.array.shape[-1] == scale.array.size)


def _written(b: Builder, call: Call, made: Value, position: int) -> Held:
    """A result in the storage that stands at two neighbouring inputs."""
    scale, zero = call.weight(position), call.weight(position + 1)
    return quantized(b, made, quant_of(_dtype(zero), scale.array, zero.array), _dtype(zero))


def _named(call: Call, *inputs: Held | None) -> Call:
    """The call of the plain operator."""
    return Call(call.name, inputs, call.attributes, call.opset, call.results)


def _bias(call: Call, position: int, x: Weight, w: Held) -> Weight | None:
    """int32 at the scale of the sums."""
    given = call.maybe(position)
    if given is None:
        return None
    if not isinstance(w, Weight) or w.quant is None:
        raise RefusedError("its weights are computed", "constants")
    scales = x.array.ravel().astype(np.float64) * np.asarray(w.quant.scale)
    return weight_of(given.name, given.array, Quant("int32", tuple(scales.tolist())))


def qlinear_conv(b: Builder, call: Call) -> Held:
    """x, w: each with scale and zero point; y's; bias."""
    x, w = _read(b, call, 0), _read(b, call, 3)
    bias = _bias(call, 8, call.weight(1), w)
    b.place = call.name
    return _written(b, call, conv(b, _named(call, x, w, bias)), 6)


def qlinear_matmul(b: Builder, call: Call) -> Held:
    """a, b: each with scale and zero point; y's."""
    x, w = _value(_read(b, call, 0)), _read(b, call, 3)
    if not isinstance(w, Weight):
        raise RefusedError("it multiplies two computed matrices", "a constant one")
    b.place = call.name
    return _written(b, call, layers.matrix(b, x, w, None), 6)


def q_gemm(b: Builder, call: Call) -> Held:
    """a, b: each with scale and zero point; bias; y's."""
    x, w = _value(_read(b, call, 0)), _read(b, call, 3)
    if not isinstance(w, Weight) or call.number("transA") or call.real("alpha", 1.0) != 1:
        raise RefusedError("it turns or scales its input", "transA 0 and alpha 1")
    w = layers.turned(w) if call.number("transB") else w
    bias = _bias(call, 6, call.weight(1), w)
    b.place = call.name
    return _written(b, call, layers.matrix(b, x, w, bias), 7)


def qlinear(kind: Kind) -> Callable[[Builder, Call], Held]:
    """Sums and products: a, b, y, each with scale and zero point."""

    def run(b: Builder, call: Call) -> Held:
        x, y = _read(b, call, 0), _read(b, call, 3)
        b.place = call.name
        return _written(b, call, combine(b, kind, x, y), 6)

    return run


def qlinear_function(op: Activation) -> Callable[[Builder, Call], Held]:
    """Functions of each element: x and y, each with scale and zero point."""

    def run(b: Builder, call: Call) -> Held:
        slope = call.real("alpha", 0.01) if op.kind == "leaky_relu" else 0.0
        x = _value(_read(b, call, 0))
        b.place = call.name
        return _written(b, call, each(b, Activation(op.kind, slope), x), 3)

    return run


def qlinear_pool(*, whole: bool) -> Callable[[Builder, Call], Held]:
    """Average pools: x and y, each with scale and zero point."""

    def run(b: Builder, call: Call) -> Held:
        if call.number("channels_last"):
            raise RefusedError("its channels are last", "channels_last 0")
        plain = _named(call, _read(b, call, 0))
        b.place = call.name
        made = global_average_pool(b, plain) if whole else average_pool(b, plain)
        return _written(b, call, made, 3)

    return run


def qlinear_concat(b: Builder, call: Call) -> Held:
    """y's scale and zero point come first, then each tensor with its own."""
    values = [_value(_read(b, call, i)) for i in range(2, len(call.inputs), 3)]
    if not values:
        raise RefusedError("it has no inputs")
    b.place = call.name
    joined = join(b, values, axis_of(call.number("axis"), len(values[0].shape)))
    return _written(b, call, joined, 0)


def qlinear_softmax(b: Builder, call: Call) -> Held:
    """x and y, each with scale and zero point; `opset` says which Softmax it is."""
    plain = _named(call, _read(b, call, 0))
    b.place = call.name
    return _written(b, call, softmax(b, replace(plain, opset=call.number("opset", 13))), 3)
