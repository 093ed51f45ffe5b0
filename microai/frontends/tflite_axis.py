# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that work along axes: turns, padding, joins, parts, the largest."""

from microai.frontends import layers, layout
from microai.frontends.builder import Builder, RefusedError, Value
from microai.frontends.tflite_call import Call, fused


def transpose(b: Builder, call: Call) -> Value:
    """transpose."""
    return layout.transpose(b, call.value(), call.ints(1))


def pad(b: Builder, call: Call) -> Value:
    """Pairs for each axis; zeros, or the value of a third input."""
    sides = call.ints(1)
    given = call.maybe(2)
    if given and given.array.size != 1:
        raise RefusedError(f"its value is {given.array.shape}", "one number")
    value = float(given.reals.ravel()[0]) if given else 0.0
    pairs = list(zip(sides[0::2], sides[1::2], strict=False))
    return layout.pad(b, call.value(), pairs, value)


def concatenation(b: Builder, call: Call) -> Value:
    """Along any axis but the batch's."""
    values = [call.value(i) for i in range(len(call.inputs))]
    if not values:
        raise RefusedError("it has no inputs")
    return fused(b, call, layout.join(b, values, call.number("Axis")))


def split(b: Builder, call: Call) -> tuple[Value, ...]:
    """Inputs: axis, tensor; parts of one size."""
    x = call.value(1)
    return _split(b, call, x, call.axis(0, len(x.shape)))


def split_v(b: Builder, call: Call) -> tuple[Value, ...]:
    """Inputs: tensor, sizes, axis."""
    x = call.value(0)
    return _split(b, call, x, call.axis(2, len(x.shape)))


def _split(b: Builder, call: Call, x: Value, axis: int) -> tuple[Value, ...]:
    """The file's shapes of the parts say how large they are."""
    if any(len(shape) != len(x.shape) or shape[axis] < 1 for shape in call.shapes):
        raise RefusedError(f"it splits {x.shape} into {call.shapes}")
    return layout.parts(b, x, axis, [shape[axis] for shape in call.shapes])


def slice_(b: Builder, call: Call) -> Value:
    """Inputs: tensor, begin, size; size -1 is the rest."""
    x = call.value()
    begins, sizes = call.ints(1), call.ints(2)
    if {len(begins), len(sizes)} != {len(x.shape)}:
        raise RefusedError(f"it takes {sizes} from {begins} of {x.shape}")
    for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        end = x.shape[axis] if size < 0 else begin + size
        x = layout.part(b, x, axis, range(x.shape[axis])[begin:end])
    return x


def arg_max(b: Builder, call: Call) -> Value:
    """Over the channels."""
    x = call.value()
    return layers.arg_max(b, x, call.axis(1, len(x.shape)), keep=False)
