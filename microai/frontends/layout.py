# SPDX-License-Identifier: Apache-2.0
"""What only moves elements, shared by all frontends: shapes, orders, parts, joins, padding."""

import math
from collections.abc import Sequence

import numpy as np

from microai.frontends.builder import (
    Builder,
    RefusedError,
    Shape,
    Value,
    canonical_order,
    deployed_shape,
)
from microai.op import Source
from microai.ops import Concat, Pad, Reshape, Slice, Transpose
from microai.types import Ints

LARGEST_SIZE = 1 << 20  # along one axis


def reshape(b: Builder, x: Value, shape: Shape) -> Value:
    """The elements stay where they are."""
    if math.prod(shape) != math.prod(x.shape):
        raise RefusedError(f"it makes {shape} of {x.shape}")
    seen = b.value(x.name, shape, x.order)
    vector = len(shape) == 2 and shape[0] == 1
    return shaped(b, seen) if seen.canonical or vector else seen


def transpose(b: Builder, x: Value, axes: Sequence[int]) -> Value:
    """The model's tensor turned; here the elements stay where they are."""
    if sorted(axes) != list(range(len(x.shape))):
        raise RefusedError(f"it transposes {x.shape} to axes {tuple(axes)}")
    shape = tuple(x.shape[axis] for axis in axes)
    turned = np.arange(math.prod(shape)).reshape(x.shape).transpose(axes).ravel()
    seen = b.value(x.name, shape, _inverse(turned)[x.order])
    return shaped(b, seen) if seen.canonical and shape[0] == 1 else seen


def shaped(b: Builder, x: Value) -> Value:
    """The value under a node of its own deployed shape; vectors may keep their order."""
    wanted = deployed_shape(x.shape, x.layout)
    if b.nodes[x.name].type.shape == wanted:
        return x
    if x.shape[:1] != (1,):
        raise RefusedError(f"its shape is {x.shape}", "a shape that keeps the batch axis, 1")
    return b.op(Reshape(wanted), (x.name,), x.shape, x.moved)


def arranged(b: Builder, x: Value) -> Value:
    """The value with its elements where deployed tensors have them, moved where they do not."""
    if x.moved is None:
        return shaped(b, x)
    source = _inverse(x.moved)[canonical_order(x.shape, x.layout)]
    sizes, steps = _strides(source)
    outer_first = sorted(range(len(sizes)), key=lambda i: -steps[i])
    before = tuple(sizes[i] for i in outer_first)
    axes = (0, *(outer_first.index(i) + 1 for i in range(len(sizes))))
    if len(axes) > 4:
        raise RefusedError("it needs elements moved along more than 3 axes", "fewer transposes")
    apart = b.op(Reshape((1, *before)), (x.name,), x.shape, x.moved)
    turned = b.op(Transpose(axes), (apart.name,), x.shape, x.moved)
    return shaped(b, Value(turned.name, x.shape, x.layout))


def delivered(b: Builder, x: Value, before: Sequence[Value]) -> Value:
    """An output of the graph: channels last, or as the model has it where that costs nothing. One
    that is an input, or an output already, is a copy.
    """
    as_is = x.moved is not None and np.array_equal(x.moved, np.arange(len(x.moved)))
    made = x if as_is else arranged(b, x)
    shape = x.shape if as_is else deployed_shape(x.shape, x.layout)
    own = b.nodes[made.name]
    taken = isinstance(own.op, Source) or made.name in {value.name for value in before}
    if own.type.shape == shape and not taken:
        return made
    return b.op(Reshape(shape), (made.name,), x.shape, made.moved)


def _inverse(order: Ints) -> Ints:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _strides(source: Ints) -> tuple[list[int], list[int]]:
    """Sizes and steps, outermost first, of the strided walk that visits `source` in order."""
    sizes: list[int] = []
    steps: list[int] = []
    block = 1
    while block < len(source):
        starts = source[::block]
        step = int(starts[1] - starts[0])
        even = np.arange(len(starts)) * step + starts[0] == starts
        size = int(even.argmin()) if not even.all() else len(starts)
        sizes.insert(0, size)
        steps.insert(0, step)
        block *= size
    walk = np.zeros(1, np.int64)
    for size, step in zip(sizes, steps, strict=True):
        walk = (walk[:, None] + np.arange(size) * step).ravel()
    if not np.array_equal(walk, source):
        raise RefusedError("it needs elements in an order that no transpose gives")
    return sizes, steps


def deployed_axis(x: Value, axis: int) -> int:
    """The axis here for one of the model's own, of a canonical value."""
    axis %= len(x.shape)
    if axis == 0:
        raise RefusedError("it works along the batch", "another axis: the batch is 1")
    if x.layout == "last":
        return axis
    return len(x.shape) - 1 if axis == 1 else axis - 1


def part(b: Builder, x: Value, axis: int, indices: range) -> Value:
    """The indices, ascending, of one axis of x."""
    axis %= len(x.shape)
    if indices == range(x.shape[axis]):
        return x
    if not indices or indices.step < 1:
        count = f"{len(indices)} backwards" if indices else "nothing"
        raise RefusedError(f"it takes {count} of {x.shape}", "at least one element, in order")
    x = arranged(b, x)
    shape = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    op = Slice(deployed_axis(x, axis), indices.start, indices.stop, indices.step)
    return b.op(op, (x.name,), shape)


def parts(b: Builder, x: Value, axis: int, sizes: Sequence[int]) -> tuple[Value, ...]:
    """One slice for each size."""
    axis %= len(x.shape)
    if sum(sizes) != x.shape[axis]:
        raise RefusedError(f"it splits axis {axis} of {x.shape} into {tuple(sizes)}")
    ends = np.cumsum(sizes).tolist()
    return tuple(
        part(b, x, axis, range(end - size, end)) for end, size in zip(ends, sizes, strict=True)
    )


def join(b: Builder, values: Sequence[Value], axis: int) -> Value:
    """Values one behind the other along any axis but the batch's."""
    axis %= len(values[0].shape)
    ranks = {len(v.shape) for v in values}
    rests = {(*v.shape[:axis], *v.shape[axis + 1 :]) for v in values}
    if len(ranks) > 1 or len(rests) > 1:
        raise RefusedError(f"it joins {', '.join(str(v.shape) for v in values)}", "equal shapes")
    if len(values) == 1:
        return values[0]
    size = sum(v.shape[axis] for v in values)
    shape = (*values[0].shape[:axis], size, *values[0].shape[axis + 1 :])
    b.check_size(shape)
    if len(shape) == 2 and axis == 1:
        starts = np.cumsum([0, *(len(v.order) for v in values[:-1])])
        orders = [v.order + start for v, start in zip(values, starts, strict=True)]
        names = tuple(shaped(b, v).name for v in values)
        return b.op(Concat(1), names, shape, np.concatenate(orders))
    values = [arranged(b, v) for v in values]
    names = tuple(v.name for v in values)
    return b.op(Concat(deployed_axis(values[0], axis)), names, shape)


def pad(b: Builder, x: Value, sides: Sequence[tuple[int, int]], value: float) -> Value:
    """One value around x: before and after each axis of the model."""
    if len(sides) != len(x.shape):
        raise RefusedError(f"it pads {len(sides)} axes of {x.shape}")
    if min(min(side) for side in sides) < 0:
        raise RefusedError(f"it cuts {tuple(sides)}", "a slice")
    if max(max(side) for side in sides) > LARGEST_SIZE:
        raise RefusedError(f"it pads by {tuple(sides)}")
    if not any(any(side) for side in sides):
        return x
    x = arranged(b, x)
    pads = [0] * 2 * len(sides)
    for axis, (before, after) in enumerate(sides):
        if before or after:
            place = deployed_axis(x, axis)
            pads[2 * place : 2 * place + 2] = before, after
    shape = tuple(n + sum(side) for n, side in zip(x.shape, sides, strict=True))
    return b.op(Pad(tuple(pads[2:]), value), (x.name,), shape)
