# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators on shapes and on constants: computed now. Converters leave them around
flattens.
"""

import numpy as np

from microai.frontends import layout
from microai.frontends.builder import Builder, RefusedError, Value, Weight
from microai.frontends.tflite_call import Call

LARGEST = 64  # dimensions, or entries of a shape


def shape_of(b: Builder, call: Call) -> Weight:
    """The shape of a computed tensor."""
    return Weight(call.name, np.asarray(call.value().shape, np.int64))


def pack(b: Builder, call: Call) -> Weight:
    """Constants side by side."""
    arrays = [call.weight(i).array for i in range(len(call.inputs))]
    if not arrays or {a.size for a in arrays} != {1} or call.number("Axis"):
        raise RefusedError("it stacks tensors", "reshape and concatenation")
    return Weight(call.name, np.concatenate([a.ravel() for a in arrays]))


def strided_slice(b: Builder, call: Call) -> Value | Weight:
    """Of a constant list now; of a tensor a slice for each axis."""
    if call.number("EllipsisMask") or call.number("NewAxisMask"):
        raise RefusedError("it adds axes", "a plain slice")
    ranges = _ranges(call)
    source = call.inputs[0]
    if isinstance(source, Weight):
        return Weight(call.name, source.array[tuple(ranges)])
    x = call.value()
    for axis, taken in enumerate(ranges):
        x = layout.part(b, x, axis, range(x.shape[axis])[taken])
    return layout.reshape(b, x, call.shapes[0])


def _ranges(call: Call) -> list[slice]:
    """One slice for each axis that is named; shrunk axes keep one index."""
    source = call.inputs[0]
    shape = source.array.shape if isinstance(source, Weight) else call.value().shape
    begins, ends, steps = (call.ints(i) for i in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) <= min(len(shape), LARGEST) or 0 in steps:
        raise RefusedError(f"it takes {begins} to {ends} by {steps} of {shape}")
    ranges = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << axis
        if call.number("ShrinkAxisMask") & bit:
            last = begin + 1 or None
            ranges.append(slice(begin, last))
            continue
        first = None if call.number("BeginMask") & bit else begin
        last = None if call.number("EndMask") & bit else end
        ranges.append(slice(first, last, step))
    return ranges
