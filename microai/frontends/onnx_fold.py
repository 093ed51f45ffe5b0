# SPDX-License-Identifier: Apache-2.0
"""ONNX operators on constants, and on shapes: computed now, in numpy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from microai.frontends.builder import Builder, RefusedError, Weight
from microai.frontends.onnx_call import Call, axis_of, sliced
from microai.frontends.onnx_file import TYPES
from microai.types import Array

LARGEST = 1 << 20  # elements of a result


def foldable(op: str, call: Call) -> bool:
    """Whether the node can be computed now; integers with a meaning can be moved."""
    constant = all(held is None or isinstance(held, Weight) for held in call.inputs)
    plain = all(not isinstance(held, Weight) or held.quant is None for held in call.inputs)
    return op in FOLDS and constant and (plain or op in MOVES)


def fold(op: str, call: Call) -> Weight:
    """The result as a constant; RefusedError where numpy cannot."""
    try:
        with np.errstate(all="ignore"):
            made = np.asarray(FOLDS[op](call))
    except (ValueError, IndexError, TypeError, OverflowError, MemoryError, ZeroDivisionError):
        shapes = [i.array.shape for i in call.inputs if isinstance(i, Weight)]
        raise RefusedError(f"it cannot be computed from constants {shapes}") from None
    if made.size > LARGEST:
        raise RefusedError(f"it makes a constant of {made.size} elements", f"{LARGEST} at most")
    first = call.inputs[0] if call.inputs else None
    if isinstance(first, Weight) and first.quant:
        return Weight(first.name, made, replace(first.quant, axis=_moved_axis(op, call, first)))
    return Weight(call.name, made)


def _moved_axis(op: str, call: Call, weight: Weight) -> int:
    """Where the scales of channels lie then."""
    assert weight.quant
    if len(weight.quant.scale) == 1 or op == "Identity":
        return weight.quant.axis
    if op != "Transpose":
        raise RefusedError("it reshapes weights that have a scale for each channel", "one scale")
    backwards = list(reversed(range(weight.array.ndim)))
    return call.ints("perm", backwards).index(weight.quant.axis)


def shape_of(b: Builder, call: Call) -> Weight:
    """The shape of a computed tensor, or a part of it."""
    shape = call.value().shape
    return Weight(call.name, np.asarray(_part(call, shape), np.int64))


def constant(b: Builder, call: Call) -> Weight:
    """Constant."""
    for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if key in call.attributes:
            found = call.attributes[key]
            if isinstance(found, str):
                break
            kind = None if isinstance(found, np.ndarray) else _kind(key)
            return Weight(call.name, np.asarray(found, kind))
    raise RefusedError("its value is no tensor of numbers")


def _kind(key: str) -> str:
    return "float32" if "float" in key else "int64"


def _part(call: Call, shape: tuple[int, ...]) -> tuple[int, ...]:
    end = call.number("end", len(shape))
    return shape[call.number("start") : end]


def _array(call: Call, position: int = 0) -> Array:
    return call.weight(position).array


def _two(function: Callable[[Array, Array], Any]) -> Callable[[Call], Any]:
    def run(call: Call) -> Any:
        x, y = _array(call), _array(call, 1)
        if np.prod(np.broadcast_shapes(x.shape, y.shape), dtype=float) > LARGEST:
            raise ValueError("too large")
        return np.asarray(function(x, y)).astype(x.dtype)

    return run


def _one(function: Callable[[Array], Any]) -> Callable[[Call], Any]:
    return lambda call: np.asarray(function(_array(call))).astype(_array(call).dtype)


def _divide(x: Array, y: Array) -> Any:
    return x / y if x.dtype.kind == "f" else np.trunc(x / y)


def _cast(call: Call) -> Any:
    kind = call.number("to")
    if kind not in TYPES:
        raise RefusedError(f"it converts to type {kind}", "numbers")
    return _array(call).astype(TYPES[kind])


def _concat(call: Call) -> Any:
    if sum(_array(call, i).size for i in range(len(call.inputs))) > LARGEST:
        raise ValueError("too large")
    return np.concatenate(
        [_array(call, i) for i in range(len(call.inputs))], axis=call.number("axis")
    )


def _constant_of_shape(call: Call) -> Any:
    shape = call.listed(0)
    value = np.asarray(call.attributes.get("value", np.zeros(1, np.float32)))
    if min(shape, default=0) < 0 or np.prod(shape, dtype=float) > LARGEST:
        raise ValueError("too large")
    return np.full(shape, value.ravel()[0], value.dtype)


def _expand(call: Call) -> Any:
    x = _array(call)
    shape = np.broadcast_shapes(x.shape, tuple(call.listed(1)))
    if np.prod(shape, dtype=float) > LARGEST:
        raise ValueError("too large")
    return np.broadcast_to(x, shape)


def _flatten(call: Call) -> Any:
    x = _array(call)
    at = axis_of(call.number("axis", 1), x.ndim) if x.ndim else 0
    return x.reshape(int(np.prod(x.shape[:at])), -1)


def _gather(call: Call) -> Any:
    indices = _array(call, 1)
    if indices.size * _array(call).size > LARGEST:
        raise ValueError("too large")
    return np.take(_array(call), indices, axis=call.number("axis"))


def _range(call: Call) -> Any:
    start, stop, step = (_array(call, i).item() for i in range(3))
    if abs((stop - start) / step) > LARGEST:
        raise ValueError("too large")
    return np.arange(start, stop, step).astype(_array(call).dtype)


def _reduce_prod(call: Call) -> Any:
    axes = call.axes(1)
    keep = bool(call.number("keepdims", 1))
    return np.prod(_array(call), axis=tuple(axes) if axes else None, keepdims=keep)


def _reshape(call: Call) -> Any:
    x = _array(call)
    wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(call.listed(1))]
    return x.reshape(wanted)


def _slice(call: Call) -> Any:
    x = _array(call)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in sliced(call, x.ndim):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def _squeeze(call: Call) -> Any:
    axes = call.axes(1)
    return np.squeeze(_array(call), tuple(axes) if axes is not None else None)


def _transpose(call: Call) -> Any:
    x = _array(call)
    return x.transpose(call.ints("perm", list(reversed(range(x.ndim)))))


MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""What leaves every element as it is."""
FOLDS: dict[str, Callable[[Call], Any]] = {
    "Add": _two(np.add),
    "Cast": _cast,
    "Ceil": _one(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _two(_divide),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _one(np.floor),
    "Gather": _gather,
    "Identity": _array,
    "Mul": _two(np.multiply),
    "Neg": _one(np.negative),
    "Range": _range,
    "Reciprocal": _one(np.reciprocal),
    "ReduceProd": _reduce_prod,
    "Reshape": _reshape,
    "Shape": lambda call: np.asarray(_part(call, _array(call).shape), np.int64),
    "Slice": _slice,
    "Sqrt": _one(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _two(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": lambda call: np.expand_dims(_array(call), tuple(call.axes(1) or ())),
}
"""What exporters compute from constants."""
