# SPDX-License-Identifier: Apache-2.0
"""What the importers of ONNX operators share: a node with what its inputs stand for, checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from microai.frontends.builder import Builder, RefusedError, Value, Weight
from microai.frontends.layout import LARGEST_SIZE
from microai.frontends.onnx_file import Attribute

Held = Value | Weight


@dataclass(frozen=True)
class Call:
    """One node; absent inputs are None. `results` is how many outputs it has."""

    name: str
    inputs: Sequence[Held | None]
    attributes: Mapping[str, Attribute]
    opset: int
    results: int = 1

    def value(self, position: int = 0) -> Value:
        """A computed input."""
        found = self.given(position)
        if not isinstance(found, Value):
            raise RefusedError(f"its input {position} is constant", "a computed tensor")
        return found

    def weight(self, position: int) -> Weight:
        """A constant input."""
        found = self.given(position)
        if not isinstance(found, Weight):
            raise RefusedError(f"its input {position} is computed", "a constant")
        return found

    def maybe(self, position: int) -> Weight | None:
        """A constant input that may be left out."""
        return self.weight(position) if self.has(position) else None

    def has(self, position: int) -> bool:
        """Whether that input is there."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def given(self, position: int) -> Held:
        """An input, which must be there."""
        found = self.inputs[position] if position < len(self.inputs) else None
        if found is None:
            raise RefusedError(f"its input {position} is missing")
        return found

    def ints(self, key: str, default: Sequence[int] | None = None) -> list[int]:
        """An attribute that is a list of whole numbers."""
        found = self.attributes.get(key, default)
        if not isinstance(found, list | tuple) or not all(isinstance(v, int) for v in found):
            raise RefusedError(f"its {key} is {found!r}"[:200], "a list of integers")
        if len(found) > 16 or any(abs(v) > LARGEST_SIZE for v in found):
            raise RefusedError(f"its {key} is {found!r}"[:200], "small numbers")
        return [int(v) for v in found]

    def listed(self, position: int) -> list[int]:
        """An input that is a constant list of whole numbers."""
        array = self.weight(position).array
        if array.dtype.kind not in "iu" or array.size > 64:
            raise RefusedError(f"its input {position} is {array.dtype} {array.shape}", "integers")
        return [int(v) for v in array.ravel()]

    def axes(self, position: int, key: str = "axes") -> list[int] | None:
        """Axes, which newer opsets have as an input; None where they are left out."""
        if self.has(position):
            return self.listed(position)
        return self.ints(key) if key in self.attributes else None

    def number(self, key: str, default: int = 0) -> int:
        """A whole number."""
        found = self.attributes.get(key, default)
        if not isinstance(found, int):
            raise RefusedError(f"its {key} is {found!r}"[:200], "an integer")
        return found

    def real(self, key: str, default: float) -> float:
        """A number."""
        found = self.attributes.get(key, default)
        if not isinstance(found, int | float):
            raise RefusedError(f"its {key} is {found!r}"[:200], "a number")
        return float(found)

    def word(self, key: str, default: str) -> str:
        """A text."""
        return str(self.attributes.get(key, default))

    def scalar(self, position: int, default: float | None = None) -> float | None:
        """A constant input that is one number."""
        given = self.maybe(position)
        if given is None:
            return default
        if given.array.size != 1:
            raise RefusedError(f"its input {position} is {given.array.shape}", "one number")
        return float(given.reals.ravel()[0])


Importer = Callable[[Builder, Call], Held | tuple[Held, ...]]


def as_it_lies(importer: Importer) -> Importer:
    """An importer that reads tensors channels last, where the model has them so and they lie so:
    nothing has to move then.
    """

    def run(b: Builder, call: Call) -> Held | tuple[Held, ...]:
        computed = [held for held in call.inputs if isinstance(held, Value)]
        if not computed or not all(map(_lies_last, computed)):
            return importer(b, call)
        inputs = [_seen_last(held) if isinstance(held, Value) else held for held in call.inputs]
        made = importer(replace(b, layout="last"), replace(call, inputs=inputs))
        if isinstance(made, tuple):
            return tuple(_seen_first(b, held) for held in made)
        return _seen_first(b, made)

    return run


def _lies_last(x: Value) -> bool:
    """Whether elements lie as in the model, which is not how deployed tensors lie."""
    return x.moved is not None and np.array_equal(x.moved, np.arange(len(x.moved)))


def _seen_last(x: Value) -> Value:
    return Value(x.name, x.shape, "last")


def _seen_first(b: Builder, made: Held) -> Held:
    return b.value(made.name, made.shape, made.order) if isinstance(made, Value) else made


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= axis < rank:
        raise RefusedError(f"its axis is {axis} of {rank}")
    return axis % rank


def sliced(call: Call, rank: int) -> list[tuple[int, int, int, int]]:
    """starts, ends, axes and steps of a Slice: inputs, or attributes before opset 10."""
    if call.opset < 10:
        starts, ends = (_ends(call, key) for key in ("starts", "ends"))
        axes, steps = call.ints("axes") if "axes" in call.attributes else None, None
    else:
        starts, ends = call.listed(1), call.listed(2)
        axes = call.listed(3) if call.has(3) else None
        steps = call.listed(4) if call.has(4) else None
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise RefusedError(f"it takes {starts} to {ends} of axes {axes} by {steps}")
    places = [axis_of(axis, rank) for axis in axes]
    return list(zip(starts, ends, places, steps, strict=True))


def _ends(call: Call, key: str) -> list[int]:
    """Limits may be as large as int64, for all that is there."""
    found = call.attributes.get(key)
    if not isinstance(found, list) or not all(isinstance(v, int) for v in found) or len(found) > 8:
        raise RefusedError(f"its {key} are missing")
    return [int(v) for v in found]
