# SPDX-License-Identifier: Apache-2.0
"""ATen's convolutions and pools: what slides a window over a feature map."""

from collections.abc import Sequence

from microai.frontends.aten_call import Arguments, bias, image, reshape, weight
from microai.frontends.builder import Builder, RefusedError, Shape, Value, deployed_shape
from microai.ops import AvgPool2d, Conv2d, DepthwiseConv2d, MaxPool2d


def conv2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """conv2d.default and conv2d.padding."""
    x, given = image(a, "input"), weight(a, "weight")
    if set(a["dilation"]) != {1}:
        raise RefusedError(f"dilation is {tuple(a['dilation'])}", "dilation 1")
    w = given.array
    out_c, _, *kernel = w.shape
    pads = _pads(a["padding"], (kernel[0], kernel[1]))
    offset = bias(b, a, given, out_c)
    if a["groups"] == out_c == x.shape[1] and out_c > 1:
        taps = b.const(given.name, w[:, 0].transpose(1, 2, 0))
        op = DepthwiseConv2d(_pair(a["stride"]), pads)
        return b.op(op, (x.name, taps, offset), shape)
    taps = b.const(given.name, w.transpose(0, 2, 3, 1))
    return b.op(Conv2d(_pair(a["stride"]), pads, a["groups"]), (x.name, taps, offset), shape)


def max_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """max_pool2d; the recorded shape shows whether ceil_mode did anything."""
    x = image(a, "self")
    if set(a["dilation"]) != {1}:
        raise RefusedError(f"dilation is {tuple(a['dilation'])}", "dilation 1")
    kernel = _pair(a["kernel_size"])
    stride = _pair(a["stride"] or kernel)
    op = MaxPool2d(kernel, stride, _pads(a["padding"], kernel))
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def avg_pool2d(b: Builder, a: Arguments, shape: Shape) -> Value:
    """avg_pool2d."""
    x = image(a, "self")
    if a["divisor_override"] is not None:
        raise RefusedError("divisor_override is set", "the window's own size")
    kernel = _pair(a["kernel_size"])
    stride = _pair(a["stride"] or kernel)
    op = AvgPool2d(kernel, stride, _pads(a["padding"], kernel), a["count_include_pad"])
    return _pooled(b, op, x, shape, ceil=a["ceil_mode"])


def _pooled(b: Builder, op: MaxPool2d | AvgPool2d, x: Value, shape: Shape, *, ceil: bool) -> Value:
    deployed = op.infer(b.nodes[x.name].type).shape
    if ceil and deployed != deployed_shape(shape):
        raise RefusedError("ceil_mode adds a partial window", "ceil_mode=False, or padding")
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
    x = image(a, "self")
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
    x = image(a, "self")
    if {d % 4 for d in a["dim"] or ()} != {2, 3} or a.get("dtype"):
        raise RefusedError(f"it reduces over {a['dim']}", "height and width, dim=(2, 3)")
    kernel = (x.shape[2], x.shape[3])
    pooled = b.op(kind(kernel, kernel), (x.name,), (*x.shape[:2], 1, 1))
    return pooled if len(shape) == 4 else reshape(b, {"self": pooled}, shape)


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
