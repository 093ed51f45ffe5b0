# SPDX-License-Identifier: Apache-2.0
"""ATen operators that work along axes: parts, joins, padding, the largest."""

import numpy as np

from microai.frontends.aten_call import Arguments, reshape
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.ops import ArgMax, Concat, Pad, Slice


def slice_axis(b: Builder, a: Arguments, shape: Shape) -> Value:  # noqa: ARG001  an importer like the others
    """x[:, start:end:step] along any axis but the batch's."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    indices = range(x.shape[axis])[slice(a["start"], a["end"], a["step"])]
    return _part(b, x, axis, indices)


def select(b: Builder, a: Arguments, shape: Shape) -> Value:
    """x[:, :, index]: a slice of one, and its axis gone."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    index = a["index"] % x.shape[axis]
    return reshape(b, {"self": _part(b, x, axis, range(index, index + 1))}, shape)


def split(b: Builder, a: Arguments, shape: Shape) -> tuple[Value, ...]:  # noqa: ARG001  an importer like the others
    """split and chunk: one slice for each part."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    size = x.shape[axis]
    if "split_sizes" in a:
        ends = [sum(a["split_sizes"][: i + 1]) for i in range(len(a["split_sizes"]))]
    else:
        ends = [*range(a["split_size"], size, a["split_size"]), size]
    starts = [0, *ends[:-1]]
    return tuple(
        _part(b, x, axis, range(start, end)) for start, end in zip(starts, ends, strict=True)
    )


def cat(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Along any axis but the batch's; vectors may be flattened feature maps."""
    parts, axis = a["tensors"], a["dim"] % len(shape)
    if not all(isinstance(part, Value) for part in parts):
        raise RefusedError("it joins a constant", "computed tensors")
    if len(parts) == 1:
        whole: Value = parts[0]
        return whole
    names = tuple(part.name for part in parts)
    if len(shape) == 2 and axis == 1:
        starts = np.cumsum([0, *(len(part.order) for part in parts[:-1])])
        orders = [part.order + start for part, start in zip(parts, starts, strict=True)]
        return b.op(Concat(1), names, shape, np.concatenate(orders))
    axes = {deployed_axis(part, axis) for part in parts}
    return b.op(Concat(axes.pop()), names, shape)


def pad(b: Builder, a: Arguments, shape: Shape) -> Value:
    """One value around any axis but the batch's; given from the last axis on."""
    x, given = a["self"], a["pad"]
    if a.get("mode", "constant") != "constant":
        raise RefusedError(f"its mode is {a['mode']}", "zeros: mode='constant'")
    if min(given) < 0:
        raise RefusedError(f"it cuts {given}", "a slice")
    pads = [0] * 2 * len(shape)
    for place, (before, after) in enumerate(zip(given[0::2], given[1::2], strict=True), start=1):
        axis = deployed_axis(x, len(shape) - place) if before or after else 0
        pads[2 * axis : 2 * axis + 2] = before, after
    op = Pad(tuple(pads[2:]), float(a.get("value") or 0))
    return b.op(op, (x.name,), shape) if any(given) else x


def argmax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Over the channels, which come last here."""
    x = a["self"]
    if a.get("dim") is None or a["dim"] % len(x.shape) != 1 or not x.canonical:
        raise RefusedError(f"it runs over axis {a.get('dim')} of {x.shape}", "axis 1, the channels")
    if not a["keepdim"] and len(x.shape) == 4:
        raise RefusedError("it takes the channel axis off an image", "keepdim=True")
    largest = b.op(ArgMax(), (x.name,), (1, 1, *x.shape[2:]))
    return largest if a["keepdim"] else reshape(b, {"self": largest}, shape)


def _part(b: Builder, x: Value, axis: int, indices: range) -> Value:
    """The indices of one axis of x."""
    if len(indices) == x.shape[axis]:
        return x
    if not indices:
        raise RefusedError(f"it takes nothing of {x.shape}", "at least one element")
    shape = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    op = Slice(deployed_axis(x, axis), indices.start, indices.stop, indices.step)
    return b.op(op, (x.name,), shape)


def deployed_axis(x: Value, axis: int) -> int:
    """The channels-last axis for one of the model's own, of a tensor that lies as deployed."""
    if axis == 0:
        raise RefusedError("it works along the batch", "another axis: the batch is 1")
    if not x.canonical:
        raise RefusedError("its input is a flattened feature map", "the same before flatten")
    return len(x.shape) - 1 if axis == 1 else axis - 1
