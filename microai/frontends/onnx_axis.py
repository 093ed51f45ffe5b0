# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that work along axes: shapes, turns, parts, joins, padding, the largest."""

import math

from microai.frontends import layers, layout
from microai.frontends.builder import Builder, RefusedError, Value
from microai.frontends.onnx_call import Call, axis_of, sliced


def flatten(b: Builder, call: Call) -> Value:
    """All axes before `axis` become one, and all others."""
    x = call.value()
    axis = call.number("axis", 1)
    at = axis if axis >= 0 else axis + len(x.shape)
    rows = math.prod(x.shape[:at])
    return layout.reshape(b, x, (rows, math.prod(x.shape) // rows))


def reshape(b: Builder, call: Call) -> Value:
    """0 keeps an axis, -1 is what is left."""
    x, wanted = call.value(), call.listed(1)
    if call.number("allowzero") == 0:
        wanted = [x.shape[i] if n == 0 and i < len(x.shape) else n for i, n in enumerate(wanted)]
    known = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) > 1 or known < 1 or math.prod(x.shape) % known:
        raise RefusedError(f"it makes {wanted} of {x.shape}")
    rest = math.prod(x.shape) // known
    return layout.reshape(b, x, tuple(rest if n == -1 else n for n in wanted))


def squeeze(b: Builder, call: Call) -> Value:
    """Axes of size 1 vanish."""
    x = call.value()
    rank = len(x.shape)
    axes = call.axes(1)
    gone = {i for i, n in enumerate(x.shape) if n == 1} if axes is None else {
        axis_of(axis, rank) for axis in axes
    }  # fmt: skip
    if any(x.shape[i] != 1 for i in gone):
        raise RefusedError(f"it squeezes axes {sorted(gone)} of {x.shape}")
    return layout.reshape(b, x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


def unsqueeze(b: Builder, call: Call) -> Value:
    """Axes of size 1 appear."""
    x = call.value()
    axes = call.axes(1) or []
    rank = len(x.shape) + len(axes)
    places = {axis_of(axis, rank) for axis in axes}
    sizes = iter(x.shape)
    shape = tuple(1 if i in places else next(sizes, 0) for i in range(rank))
    return layout.reshape(b, x, shape)


def transpose(b: Builder, call: Call) -> Value:
    """Backwards where no order is given."""
    x = call.value()
    backwards = list(reversed(range(len(x.shape))))
    return layout.transpose(b, x, call.ints("perm", backwards))


def concat(b: Builder, call: Call) -> Value:
    """Along any axis but the batch's."""
    values = [call.value(i) for i in range(len(call.inputs))]
    if not values:
        raise RefusedError("it has no inputs")
    return layout.join(b, values, axis_of(call.number("axis"), len(values[0].shape)))


def split(b: Builder, call: Call) -> tuple[Value, ...]:
    """Sizes are an input, an attribute, or equal."""
    x = call.value()
    axis = axis_of(call.number("axis"), len(x.shape))
    if call.has(1):
        sizes = call.listed(1)
    elif "split" in call.attributes:
        sizes = call.ints("split")
    else:
        each = -(-x.shape[axis] // call.results)
        sizes = [min(each, x.shape[axis] - i * each) for i in range(call.results)]
    if min(sizes, default=0) < 1:
        raise RefusedError(f"it splits {x.shape} into {sizes}")
    return layout.parts(b, x, axis, sizes)


def slice_(b: Builder, call: Call) -> Value:
    """A part along each axis that is named."""
    x = call.value()
    for start, end, axis, step in sliced(call, len(x.shape)):
        x = layout.part(b, x, axis, range(x.shape[axis])[start:end:step])
    return x


def gather(b: Builder, call: Call) -> Value:
    """Constant indices, one or evenly apart: a part."""
    x = call.value()
    axis = axis_of(call.number("axis"), len(x.shape))
    size, given = x.shape[axis], call.weight(1).array
    indices = [index + size * (index < 0) for index in call.listed(1)]
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    taken = range(indices[0], indices[-1] + 1, step) if indices and step > 0 else range(0)
    if given.ndim > 1 or list(taken) != indices or taken.start < 0 or taken.stop > size:
        raise RefusedError(f"it takes {indices[:8]} of {size}", "indices evenly apart")
    found = layout.part(b, x, axis, taken)
    if given.ndim:
        return found
    return layout.reshape(b, found, tuple(n for i, n in enumerate(found.shape) if i != axis))


def pad(b: Builder, call: Call) -> Value:
    """One value; pads begin for all axes, then end for all: an input, or an attribute before 11."""
    x = call.value()
    if call.word("mode", "constant") != "constant":
        raise RefusedError(f"its mode is {call.word('mode', '')}", "constant")
    pads = call.ints("pads") if call.opset < 11 else call.listed(1)
    value = call.real("value", 0.0) if call.opset < 11 else call.scalar(2, 0.0)
    axes = call.listed(3) if call.has(3) else list(range(len(x.shape)))
    if len(pads) != 2 * len(axes):
        raise RefusedError(f"its pads are {pads} for axes {axes}")
    sides = [(0, 0)] * len(x.shape)
    for i, axis in enumerate(axes):
        sides[axis_of(axis, len(x.shape))] = (pads[i], pads[i + len(axes)])
    return layout.pad(b, x, sides, value or 0.0)


def softmax(b: Builder, call: Call) -> Value:
    """Before opset 13 over all axes from `axis` on."""
    x = call.value()
    rank = len(x.shape)
    axis = axis_of(call.number("axis", 1 if call.opset < 13 else -1), rank)
    if call.opset < 13 and math.prod(x.shape[axis + 1 :]) > 1:
        raise RefusedError(f"it runs over axes {axis} to {rank - 1} of {x.shape}", "one axis")
    return layers.softmax(b, x, axis)


def arg_max(b: Builder, call: Call) -> Value:
    """Over the channels; the first of the largest."""
    if call.number("select_last_index"):
        raise RefusedError("it takes the last of the largest", "select_last_index 0")
    x, keep = call.value(), bool(call.number("keepdims", 1))
    return layers.arg_max(b, x, call.number("axis"), keep=keep)
