# SPDX-License-Identifier: Apache-2.0
"""Cases drawn at random: any op at any small shape that it accepts."""

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
axes = st.integers(1, 3)
pads = st.tuples(*[st.integers(0, 2)] * 4)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
clamps = st.sampled_from([(None, None), (0.0, None), (0.0, 0.8)])
kinds = st.sampled_from(get_args(Kind))


@st.composite
def drawn_cases(draw) -> Case:
    """Any op at any small shape that it accepts."""
    shape = (1, draw(sizes), draw(sizes), draw(sizes))
    return draw(st.sampled_from(DRAWN))(draw, shape)


def _conv(draw, shape) -> Case:
    kernel, padding = draw(pairs), draw(pads)
    shape = _enlarged(shape, kernel, padding)
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[3] % g == 0]))
    out = groups * draw(st.integers(1, 3))
    op = Conv(draw(pairs), padding, groups=groups, clamp=draw(clamps))
    return op, [shape, (out, *kernel, shape[3] // groups), (out,)]


def _depthwise_conv(draw, shape) -> Case:
    kernel, padding = draw(pairs), draw(pads)
    op = DepthwiseConv(draw(pairs), padding, clamp=draw(clamps))
    return op, [_enlarged(shape, kernel, padding), (*kernel, shape[3]), (shape[3],)]


def _conv_transpose(draw, shape) -> Case:
    """Pads that leave a pixel, or add some at the end."""
    kernel, stride, out = draw(pairs), draw(pairs), draw(sizes)
    whole = [(n - 1) * s + k for n, s, k in zip(shape[1:3], stride, kernel, strict=True)]
    before = [min(draw(st.integers(0, 2)), size - 1) for size in whole]
    after = [
        min(draw(st.integers(-1, 2)), size - b - 1) for size, b in zip(whole, before, strict=True)
    ]
    op = ConvTranspose(stride, (before[0], after[0], before[1], after[1]), draw(clamps))
    return op, [shape, (out, *kernel, shape[3]), (out,)]


def _max_pool(draw, shape) -> Case:
    kernel = draw(pairs)
    padding = _pool_pads(draw, kernel)
    return MaxPool(kernel, draw(pairs), padding), [_enlarged(shape, kernel, padding)]


def _avg_pool(draw, shape) -> Case:
    kernel = draw(pairs)
    padding = _pool_pads(draw, kernel)
    op = AvgPool(kernel, draw(pairs), padding, draw(st.booleans()))
    return op, [_enlarged(shape, kernel, padding)]


def _pool_pads(draw, kernel) -> tuple[int, ...]:
    """A pool must touch the image everywhere."""
    return tuple(min(p, kernel[i // 2] - 1) for i, p in enumerate(draw(pads)))


def _enlarged(shape, kernel, padding) -> tuple[int, ...]:
    """At least as large as the window needs."""
    height = max(shape[1], kernel[0] - padding[0] - padding[1], 1)
    width = max(shape[2], kernel[1] - padding[2] - padding[3], 1)
    return (1, height, width, shape[3])


def _sum(draw, shape) -> Case:
    return draw(st.sampled_from([Add, Sub]))(draw(clamps)), [shape, shape]


def _mul(draw, shape) -> Case:
    return Mul(draw(clamps)), [shape, draw(st.sampled_from([shape, (1, 1, 1, shape[3])]))]


def _dense(draw, shape) -> Case:
    rows, columns = draw(sizes), math.prod(shape)
    return Dense(draw(clamps)), [(1, columns), (rows, columns), (rows,)]


def _slice(draw, shape) -> Case:
    axis = draw(axes)
    start = draw(st.integers(0, shape[axis] - 1))
    stop = draw(st.integers(start + 1, shape[axis]))
    return Slice(axis, start, stop, draw(st.integers(1, 3))), [shape]


def _concat(draw, shape) -> Case:
    axis = draw(axes)
    lengths = draw(st.lists(sizes, min_size=2, max_size=3))
    return Concat(axis), [(*shape[:axis], length, *shape[axis + 1 :]) for length in lengths]


def _pad(draw, shape) -> Case:
    sides = (*draw(pads), *draw(pads)[:2])
    return Pad(sides, draw(st.sampled_from([0.0, -0.3, 9.0]))), [shape]


def _each(draw, shape) -> Case:
    """Ops that take any one tensor."""
    kind = draw(kinds)
    ops: list[Op] = [
        Activation(kind, 0.1 if kind == "leaky_relu" else 0.0),
        ArgMax(),
        Relu(draw(st.sampled_from([None, 0.5]))),
        Reshape((1, math.prod(shape))),
        Resize((draw(sizes), draw(sizes))),
        Softmax(),
    ]
    return draw(st.sampled_from(ops)), [shape]


DRAWN = (
    _avg_pool, _concat, _conv, _conv_transpose, _dense, _depthwise_conv, _each, _each, _each,
    _max_pool, _mul, _pad, _slice, _sum,
)  # fmt: skip
