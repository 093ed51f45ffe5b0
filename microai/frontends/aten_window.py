# SPDX-License-Identifier: Apache-2.0
"""ATen's convolutions and pools: what slides a window along one or two axes."""

import math
from collections.abc import Sequence

import numpy as np

from microai.frontends.aten_call import Arguments, bias, weight
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.frontends.layers import convolution, image, linear_op, pooled, pooled_globally
from microai.frontends.layout import reshape
from microai.ops import AvgPool, Conv, ConvTranspose, MaxPool, Resize
from microai.ops.resize import nearest


def conv(b: Builder, a: Arguments, shape: Shape) -> Value:
    """conv1d and conv2d, with numbers or words as padding."""
    w = weight(a, "weight")
    kernel = w.array.shape[2:]
    stride, dilation = _sizes(a["stride"], kernel), _sizes(a["dilation"], kernel)
    op = Conv(stride, _pads(a["padding"], kernel, dilation), dilation, a["groups"])
    return convolution(b, op, a["input"], w, bias(a))


def conv_transpose(b: Builder, a: Arguments, shape: Shape) -> Value:
    """conv_transpose1d and conv_transpose2d; output_padding is padding less at the end."""
    given = weight(a, "weight")
    kernel = given.array.shape[2:]
    dilation = _sizes(a["dilation"], kernel)
    if a["groups"] != 1 or set(dilation) != {1}:
        raise RefusedError(
            f"groups is {a['groups']}, dilation {dilation}",
            "groups 1 and dilation 1, or nearest upsampling and a convolution",
        )
    both, extra = (_sizes(a[key], kernel) for key in ("padding", "output_padding"))
    pads = tuple(side for p, e in zip(both, extra, strict=True) for side in (p, p - e))
    taps = given.arranged(lambda w: w.transpose(1, *range(2, w.ndim), 0))
    return linear_op(b, ConvTranspose(_sizes(a["stride"], kernel), pads), a["input"], taps, bias(a))


def max_pool(b: Builder, a: Arguments, shape: Shape) -> Value:
    """max_pool1d and max_pool2d; the recorded shape shows whether ceil_mode did anything."""
    x = a["self"]
    kernel = _sizes(a["kernel_size"], x.shape[2:])
    if set(_sizes(a["dilation"], kernel)) != {1}:
        raise RefusedError(f"dilation is {tuple(a['dilation'])}", "dilation 1")
    stride = _sizes(a["stride"] or kernel, kernel)
    op = MaxPool(kernel, stride, _pads(a["padding"], kernel, (1,) * len(kernel)))
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def avg_pool(b: Builder, a: Arguments, shape: Shape) -> Value:
    """avg_pool1d and avg_pool2d."""
    x = a["self"]
    if a.get("divisor_override") is not None:
        raise RefusedError("divisor_override is set", "the window's own size")
    kernel = _sizes(a["kernel_size"], x.shape[2:])
    stride = _sizes(a["stride"] or kernel, kernel)
    pads = _pads(a["padding"], kernel, (1,) * len(kernel))
    op = AvgPool(kernel, stride, pads, a["count_include_pad"])
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def _pooled(b: Builder, op: MaxPool | AvgPool, x: Value, shape: Shape, *, ceil: bool) -> Value:
    made = pooled(b, op, x)
    if ceil and made.shape != shape:
        raise RefusedError("ceil_mode adds a partial window", "ceil_mode=False, or padding")
    return made


def adaptive_avg_pool(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Windows of one size, where the output divides the input."""
    x, kernel = _divided(a, shape)
    return pooled(b, AvgPool(kernel, kernel), x)


def adaptive_max_pool(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Windows of one size, where the output divides the input."""
    x, kernel = _divided(a, shape)
    return pooled(b, MaxPool(kernel, kernel), x)


def _divided(a: Arguments, shape: Shape) -> tuple[Value, tuple[int, ...]]:
    x = a["self"]
    if any(size % out for size, out in zip(x.shape[2:], shape[2:], strict=True)):
        raise RefusedError(
            f"{shape[2:]} does not divide {x.shape[2:]}", "an output size that divides the input"
        )
    return x, tuple(size // out for size, out in zip(x.shape[2:], shape[2:], strict=True))


def mean(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A mean over all but the channels pools globally."""
    return _global(b, a, shape, AvgPool)


def amax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """A maximum over all but the channels pools globally."""
    return _global(b, a, shape, MaxPool)


def upsample(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Nearest; torch computes the pixels' indices in float32, from scales where they are given."""
    x = image(b, a["input" if "input" in a else "self"])
    sizes = list(zip(x.shape[2:], shape[2:], strict=True))
    for (before, after), scale in zip(sizes, _scales(a, len(sizes)), strict=True):
        step = np.float32(1 / scale if scale else before / after)
        chosen = np.floor(np.arange(after, dtype=np.float32) * step).clip(max=before - 1)
        if not np.array_equal(chosen, nearest(before, after)):
            raise RefusedError(f"it stretches {before} pixels to {after} unevenly", "whole factors")
    return b.op(Resize(shape[2:]), (x.name,), shape)


def _scales(a: Arguments, axes: int) -> Sequence[float | None]:
    """The factor of each axis; None where the sizes say it."""
    named = [a[key] for key in ("scales", "scales_h", "scales_w") if key in a]
    return a.get("scale_factors") or named or (None,) * axes


def _global(b: Builder, a: Arguments, shape: Shape, kind: type[AvgPool] | type[MaxPool]) -> Value:
    x = a["self"]
    rank = len(x.shape)
    given = [a["dim"]] if isinstance(a["dim"], int) else a["dim"] or ()
    if {d % rank for d in given} != set(range(2, rank)) or a.get("dtype"):
        wanted = "(2, 3)" if rank == 4 else "2"
        raise RefusedError(f"it reduces over {a['dim']}", f"all but the channels, dim={wanted}")
    whole = pooled_globally(b, kind, x)
    return whole if len(shape) == rank else reshape(b, whole, shape)


def _sizes(value: int | Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """One number for each axis."""
    given = (value,) if isinstance(value, int) else tuple(value)
    return given * len(axes) if len(given) == 1 else given


def _pads(
    padding: str | int | Sequence[int], kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """Before and after each axis."""
    if padding == "valid":
        return (0,) * 2 * len(kernel)
    if padding == "same":  # the odd one goes to the end
        whole = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(side for total in whole for side in (total // 2, math.ceil(total / 2)))
    assert not isinstance(padding, str)
    return tuple(side for p in _sizes(padding, kernel) for side in (int(p), int(p)))
