# SPDX-License-Identifier: Apache-2.0
"""ONNX's convolutions and pools: what slides a window along one or two axes."""

from collections.abc import Callable

import numpy as np

from microai.frontends import layers, layout
from microai.frontends.builder import Builder, RefusedError, Shape, Value
from microai.frontends.onnx_call import Call, axis_of
from microai.frontends.storage import centered
from microai.ops import AvgPool, Conv, ConvTranspose, MaxPool, Resize
from microai.ops.resize import nearest
from microai.types import Floats


def _sizes(call: Call, key: str, kernel: Shape) -> Shape:
    """One positive number for each axis; 1 where the attribute is left out."""
    sizes = tuple(call.ints(key, (1,) * len(kernel)))
    if len(sizes) != len(kernel) or min(sizes, default=1) < 1:
        raise RefusedError(f"its {key} is {sizes}, its window {kernel}")
    return sizes


def _pads(call: Call, image: Shape, kernel: Shape) -> Shape:
    """Before and after each axis; SAME_UPPER has the odd one at the end."""
    stride, dilation = _sizes(call, "strides", kernel), _sizes(call, "dilations", kernel)
    word = call.word("auto_pad", "NOTSET")
    if word == "VALID":
        return (0,) * 2 * len(kernel)
    if word == "NOTSET":
        given = call.ints("pads", (0,) * 2 * len(kernel))
        if len(given) != 2 * len(kernel) or min(given, default=0) < 0:
            raise RefusedError(f"its pads are {given}, its window {kernel}")
        return tuple(given[axis + end] for axis in range(len(kernel)) for end in (0, len(kernel)))
    if word not in ("SAME_UPPER", "SAME_LOWER"):
        raise RefusedError(f"its auto_pad is {word}", "pads")
    pads: list[int] = []
    for size, taps, step, apart in zip(image, kernel, stride, dilation, strict=True):
        small, large = layers.same_pads(size, taps, step, apart)
        pads += [small, large] if word == "SAME_UPPER" else [large, small]
    return tuple(pads)


def _kernel(x: Value, kernel: Shape) -> Shape:
    if len(x.shape) != len(kernel) + 2 or len(kernel) not in (1, 2):
        raise RefusedError(f"its input is {x.shape}, its window {kernel}", "1 or 2 axes")
    if min(kernel) < 1:
        raise RefusedError(f"its window is {kernel}", "positive sizes")
    return kernel


def conv(b: Builder, call: Call) -> Value:
    """Filters O, I / groups, kernel ..."""
    x, w = call.value(), call.weight(1)
    kernel = _kernel(x, w.array.shape[2:])
    if tuple(call.ints("kernel_shape", kernel)) != kernel:
        raise RefusedError(f"its kernel_shape is {call.ints('kernel_shape')}, its filters {kernel}")
    op = Conv(
        _sizes(call, "strides", kernel), _pads(call, x.shape[2:], kernel),
        _sizes(call, "dilations", kernel), call.number("group", 1),
    )  # fmt: skip
    return layers.convolution(b, op, x, w, call.maybe(2))


def conv_transpose(b: Builder, call: Call) -> Value:
    """Filters I, O, kernel ...; output_padding is padding less at the end."""
    x, w = call.value(), call.weight(1)
    kernel = _kernel(x, w.array.shape[2:])
    dilation = _sizes(call, "dilations", kernel)
    if call.number("group", 1) != 1 or set(dilation) != {1}:
        raise RefusedError(f"its group is {call.number('group', 1)}, dilations {dilation}", "1")
    padded = call.word("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    if "output_shape" in call.attributes or not padded:
        raise RefusedError("its padding follows from its output_shape or auto_pad", "pads")
    extra = call.ints("output_padding", (0,) * len(kernel))
    pads = list(_pads(call, x.shape[2:], kernel))
    if len(extra) != len(kernel):
        raise RefusedError(f"its output_padding is {extra}, its window {kernel}")
    pads[1::2] = [after - more for after, more in zip(pads[1::2], extra, strict=True)]
    taps = centered(w, 1).arranged(lambda a: a.transpose(1, *range(2, a.ndim), 0), axis=0)
    op = ConvTranspose(_sizes(call, "strides", kernel), tuple(pads))
    return layers.linear_op(b, op, x, taps, call.maybe(2))


def _pool(b: Builder, call: Call, kind: type[AvgPool] | type[MaxPool]) -> Value:
    x = call.value()
    kernel = _kernel(x, tuple(call.ints("kernel_shape")))
    stride, pads = _sizes(call, "strides", kernel), _pads(call, x.shape[2:], kernel)
    if set(_sizes(call, "dilations", kernel)) != {1} or call.results > 1:
        raise RefusedError("it has dilations, or gives indices", "a plain pool")
    if call.number("ceil_mode"):
        room = zip(x.shape[2:], kernel, stride, pads[0::2], pads[1::2], strict=True)
        if any((n + first + last - k) % step for n, k, step, first, last in room):
            raise RefusedError("ceil_mode adds a partial window", "ceil_mode 0, or pads")
    counts = {"count_pads": bool(call.number("count_include_pad"))} if kind is AvgPool else {}
    return layers.pooled(b, kind(kernel, stride, pads, **counts), x)


def average_pool(b: Builder, call: Call) -> Value:
    """AveragePool."""
    return _pool(b, call, AvgPool)


def max_pool(b: Builder, call: Call) -> Value:
    """MaxPool."""
    return _pool(b, call, MaxPool)


def global_average_pool(b: Builder, call: Call) -> Value:
    """GlobalAveragePool."""
    return layers.pooled_globally(b, AvgPool, call.value())


def global_max_pool(b: Builder, call: Call) -> Value:
    """GlobalMaxPool."""
    return layers.pooled_globally(b, MaxPool, call.value())


def _reduced(b: Builder, call: Call, kind: type[AvgPool] | type[MaxPool]) -> Value:
    x = call.value()
    rank = len(x.shape)
    axes = sorted(axis_of(axis, rank) for axis in call.axes(1) or ())
    if rank not in (3, 4) or not axes or not set(axes) <= set(layers.spatial_axes(x)):
        raise RefusedError(f"it reduces axes {axes} of {x.shape}", "the image's axes")
    kernel = tuple(x.shape[i] if i in axes else 1 for i in layers.spatial_axes(x))
    made = layers.pooled(b, kind(kernel, kernel), x)
    if call.number("keepdims", 1):
        return made
    return layout.reshape(b, made, tuple(s for i, s in enumerate(made.shape) if i not in axes))


def reduce_mean(b: Builder, call: Call) -> Value:
    """Over axes of the image it is a pool."""
    return _reduced(b, call, AvgPool)


def reduce_max(b: Builder, call: Call) -> Value:
    """Over axes of the image it is a pool."""
    return _reduced(b, call, MaxPool)


def resize(b: Builder, call: Call) -> Value:
    """Resize and Upsample to the nearest pixel, where the file's way to choose it is ours."""
    x = layers.image(b, call.value())
    if call.word("mode", "nearest") != "nearest":
        raise RefusedError(f"its mode is {call.word('mode', '')}", "nearest")
    sizes, axes = _resized(call, x.shape), layers.spatial_axes(x)
    if any(n != m for i, (n, m) in enumerate(zip(x.shape, sizes, strict=True)) if i not in axes):
        raise RefusedError(f"it resizes {x.shape} to {sizes}", "the image's axes only")
    for before, after in ((x.shape[i], sizes[i]) for i in axes):
        chosen = _chosen(call, before, after)
        if not np.array_equal(chosen.clip(0, before - 1), nearest(before, after)):
            raise RefusedError(
                f"it stretches {before} pixels to {after} by {_way(call)}",
                "asymmetric and floor, or half_pixel by a whole factor",
            )
    return b.op(Resize(tuple(sizes[i] for i in axes)), (x.name,), sizes)


def _way(call: Call) -> tuple[str, str]:
    """How a pixel is placed, and how it is rounded."""
    if call.opset < 11:
        return "asymmetric", "floor"
    place = call.word("coordinate_transformation_mode", "half_pixel")
    return place, call.word("nearest_mode", "round_prefer_floor")


def _chosen(call: Call, before: int, after: int) -> Floats:
    """The pixel that each pixel of the output is, as the operator defines it."""
    place, rounds = _way(call)
    if after > layout.LARGEST_SIZE or place not in PLACES or rounds not in ROUNDINGS:
        raise RefusedError(f"it stretches {before} pixels to {after} by {place}, {rounds}")
    half = 0.0 if place == "asymmetric" or (place[0] == "p" and after == 1) else 0.5
    pixels = np.arange(after, dtype=np.float64)
    return ROUNDINGS[rounds]((pixels + half) * (before / after) - half)


PLACES = ("asymmetric", "half_pixel", "pytorch_half_pixel")
ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _resized(call: Call, shape: Shape) -> Shape:
    """From sizes, or from scales, which older opsets have as the second input or an attribute."""
    if call.has(3):
        sizes = tuple(call.listed(3))
    else:
        place = next((i for i in (2, 1) if call.has(i) and call.weight(i).array.size), None)
        given = call.attributes.get("scales") if place is None else call.weight(place).reals
        scales = np.asarray(given if isinstance(given, list | np.ndarray) else [], np.float64)
        if scales.shape != (len(shape),) or not np.all((scales > 0) & (scales < 1 << 16)):
            raise RefusedError(
                f"its scales are {scales.tolist()}", "one of 1 or more for each axis"
            )
        sizes = tuple(int(s) for s in np.floor(shape * scales))
    if len(sizes) != len(shape) or min(sizes) < 1:
        raise RefusedError(f"it resizes {shape} to {sizes}")
    return sizes
