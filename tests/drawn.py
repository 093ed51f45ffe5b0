# SPDX-License-Identifier: Apache-2.0
"""Cases drawn at random: any op at any small shape that it accepts, of one or two axes."""

import math
from typing import get_args

from hypothesis import strategies as st

from microai.op import Op
from microai.ops import (
    Activation,
    Add,
    ArgMax,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    MaxPool,
    Mul,
    Pad,
    Relu,
    Reshape,
    Resize,
    Slice,
    Softmax,
    Sub,
)
from microai.ops._functions import Kind
from tests.cases import Case

sizes = st.integers(1, 6)
channels = st.integers(1, 9)
clamps = st.sampled_from([(None, None), (0.0, None), (0.0, 0.8)])
kinds = st.sampled_from(get_args(Kind))


@st.composite
def drawn_cases(draw) -> Case:
    """Any op at any small shape that it accepts."""
    rank = draw(st.integers(1, 2))
    shape = (1, *(draw(sizes) for _ in range(rank)), draw(channels))
    return draw(st.sampled_from(DRAWN))(draw, shape)


def _each_axis(draw, shape, low: int = 1, high: int = 3) -> tuple[int, ...]:
    """A number for each axis that a window slides along."""
    return tuple(draw(st.integers(low, high)) for _ in shape[1:-1])


def _pads(draw, shape) -> tuple[int, ...]:
    return tuple(draw(st.integers(0, 2)) for _ in (*shape[1:-1], *shape[1:-1]))


def _conv(draw, shape) -> Case:
    kernel, dilation, padding = _each_axis(draw, shape), _each_axis(draw, shape), _pads(draw, shape)
    shape = _enlarged(shape, kernel, padding, dilation)
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3) if shape[-1] % g == 0]))
    out = groups * draw(st.integers(1, 3))
    op = Conv(_each_axis(draw, shape), padding, dilation, groups, draw(clamps))
    return op, [shape, (out, *kernel, shape[-1] // groups), (out,)]


def _plain_conv(draw, shape) -> Case:
    """What the DSP kernels take."""
    kernel, padding = _each_axis(draw, shape, 1, 5), _pads(draw, shape)
    shape = _enlarged((1, *(4 * n for n in shape[1:-1]), shape[-1]), kernel, padding)
    out = draw(channels)
    op = Conv(_each_axis(draw, shape), padding, clamp=draw(clamps))
    return op, [shape, (out, *kernel, shape[-1]), (out,)]


def _depthwise_conv(draw, shape) -> Case:
    shape = (*shape[:-1], draw(st.sampled_from([shape[-1], 4, 8])))
    kernel, dilation, padding = _each_axis(draw, shape), _each_axis(draw, shape), _pads(draw, shape)
    op = DepthwiseConv(_each_axis(draw, shape), padding, dilation, draw(clamps))
    return op, [_enlarged(shape, kernel, padding, dilation), (*kernel, shape[-1]), (shape[-1],)]


def _conv_transpose(draw, shape) -> Case:
    """Pads that leave a pixel, or add some at the end."""
    kernel, stride, out = _each_axis(draw, shape), _each_axis(draw, shape), draw(sizes)
    whole = [(n - 1) * s + k for n, s, k in zip(shape[1:-1], stride, kernel, strict=True)]
    before = [min(draw(st.integers(0, 2)), size - 1) for size in whole]
    after = [
        min(draw(st.integers(-1, 2)), size - b - 1) for size, b in zip(whole, before, strict=True)
    ]
    padding = tuple(side for pair in zip(before, after, strict=True) for side in pair)
    return ConvTranspose(stride, padding, draw(clamps)), [shape, (out, *kernel, shape[-1]), (out,)]


def _max_pool(draw, shape) -> Case:
    kernel = _each_axis(draw, shape)
    padding = _pool_pads(draw, shape, kernel)
    return MaxPool(kernel, _each_axis(draw, shape), padding), [_enlarged(shape, kernel, padding)]


def _avg_pool(draw, shape) -> Case:
    kernel = _each_axis(draw, shape)
    padding = _pool_pads(draw, shape, kernel)
    op = AvgPool(kernel, _each_axis(draw, shape), padding, draw(st.booleans()))
    return op, [_enlarged(shape, kernel, padding)]


def _pool_pads(draw, shape, kernel) -> tuple[int, ...]:
    """A pool must touch the image everywhere."""
    return tuple(min(p, kernel[i // 2] - 1) for i, p in enumerate(_pads(draw, shape)))


def _enlarged(shape, kernel, padding, dilation=(1, 1)) -> tuple[int, ...]:
    """At least as large as the window needs."""
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=False)]
    least = [r - b - a for r, b, a in zip(reach, padding[::2], padding[1::2], strict=True)]
    image = [max(size, need, 1) for size, need in zip(shape[1:-1], least, strict=True)]
    return (1, *image, shape[-1])


def _sum(draw, shape) -> Case:
    return draw(st.sampled_from([Add, Sub]))(draw(clamps)), [shape, shape]


def _mul(draw, shape) -> Case:
    return Mul(draw(clamps)), [
        shape,
        draw(st.sampled_from([shape, (*(1 for _ in shape[1:]), shape[-1])])),
    ]


def _dense(draw, shape) -> Case:
    rows, columns = draw(sizes), math.prod(shape)
    return Dense(draw(clamps)), [(1, columns), (rows, columns), (rows,)]


def _slice(draw, shape) -> Case:
    axis = draw(st.integers(1, len(shape) - 1))
    start = draw(st.integers(0, shape[axis] - 1))
    stop = draw(st.integers(start + 1, shape[axis]))
    return Slice(axis, start, stop, draw(st.integers(1, 3))), [shape]


def _concat(draw, shape) -> Case:
    axis = draw(st.integers(1, len(shape) - 1))
    lengths = draw(st.lists(sizes, min_size=2, max_size=3))
    return Concat(axis), [(*shape[:axis], length, *shape[axis + 1 :]) for length in lengths]


def _pad(draw, shape) -> Case:
    sides = tuple(draw(st.integers(0, 2)) for _ in (*shape[1:], *shape[1:]))
    return Pad(sides, draw(st.sampled_from([0.0, -0.3, 9.0]))), [shape]


def _each(draw, shape) -> Case:
    """Ops that take any one tensor."""
    kind = draw(kinds)
    ops: list[Op] = [
        Activation(kind, 0.1 if kind == "leaky_relu" else 0.0),
        ArgMax(),
        Relu(draw(st.sampled_from([None, 0.5]))),
        Reshape((1, math.prod(shape))),
        Resize(_each_axis(draw, shape, 1, 6)),
        Softmax(),
    ]
    return draw(st.sampled_from(ops)), [shape]


DRAWN = (
    _avg_pool, _concat, _conv, _conv_transpose, _dense, _depthwise_conv, _each, _each, _each,
    _max_pool, _mul, _pad, _plain_conv, _plain_conv, _slice, _sum,
)  # fmt: skip
