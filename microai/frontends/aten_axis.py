# SPDX-License-Identifier: Apache-2.0
"""ATen operators that work along axes: parts, joins, padding, the largest."""

from microai.frontends import layout
from microai.frontends.aten_call import Arguments
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.frontends.layers import arg_max


def reshape(b: Builder, a: Arguments, shape: Shape) -> Value:
    """flatten, view, reshape, squeeze, unsqueeze."""
    return layout.reshape(b, a["self"], shape)


def permute(b: Builder, a: Arguments, shape: Shape) -> Value:
    """All axes in another order."""
    x = a["self"]
    return layout.transpose(b, x, [axis % len(x.shape) for axis in a["dims"]])


def transpose(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Two axes exchanged."""
    x = a["self"]
    axes = list(range(len(x.shape)))
    one, other = a["dim0"] % len(axes), a["dim1"] % len(axes)
    axes[one], axes[other] = other, one
    return layout.transpose(b, x, axes)


def slice_axis(b: Builder, a: Arguments, shape: Shape) -> Value:
    """x[:, start:end:step] along any axis but the batch's."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    indices = range(x.shape[axis])[slice(a["start"], a["end"], a["step"])]
    return layout.part(b, x, axis, indices)


def select(b: Builder, a: Arguments, shape: Shape) -> Value:
    """x[:, :, index]: a slice of one, and its axis gone."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    index = a["index"] % x.shape[axis]
    return layout.reshape(b, layout.part(b, x, axis, range(index, index + 1)), shape)


def split(b: Builder, a: Arguments, shape: Shape) -> tuple[Value, ...]:
    """split and chunk: one slice for each part."""
    x, axis = a["self"], a["dim"] % len(a["self"].shape)
    size = x.shape[axis]
    if "split_sizes" in a:
        return layout.parts(b, x, axis, a["split_sizes"])
    starts = range(0, size, a["split_size"])
    return layout.parts(b, x, axis, [min(a["split_size"], size - start) for start in starts])


def cat(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Along any axis but the batch's; vectors may be flattened feature maps."""
    if not all(isinstance(part, Value) for part in a["tensors"]):
        raise RefusedError("it joins a constant", "computed tensors")
    return layout.join(b, a["tensors"], a["dim"] % len(shape))


def pad(b: Builder, a: Arguments, shape: Shape) -> Value:
    """One value around any axis but the batch's; given from the last axis on."""
    x, given = a["self"], a["pad"]
    if a.get("mode", "constant") != "constant":
        raise RefusedError(f"its mode is {a['mode']}", "zeros: mode='constant'")
    sides = list(zip(given[0::2], given[1::2], strict=True))
    whole = [*sides, *[(0, 0)] * (len(shape) - len(sides))]
    return layout.pad(b, x, whole[::-1], float(a.get("value") or 0))


def argmax(b: Builder, a: Arguments, shape: Shape) -> Value:
    """Over the channels, which come last here."""
    if a.get("dim") is None:
        raise RefusedError("it runs over all axes", "axis 1, the channels")
    return arg_max(b, a["self"], a["dim"], keep=a["keepdim"])
