# SPDX-License-Identifier: Apache-2.0
"""What the importers of TFLite's operators share: a call, checked, and the activation behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.layers import clip, each
from microai.frontends.layout import LARGEST_SIZE
from microai.ops import Activation

LIMITS = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Fused activations by their number in the schema."""
TANH = 4


@dataclass(frozen=True)
class Call:
    """An operator with what its inputs stand for and what the file says of its outputs."""

    name: str
    inputs: Sequence[Value | Weight | None]
    options: Mapping[str, float]
    shapes: tuple[Shape, ...]
    dtypes: tuple[str, ...]

    def value(self, position: int = 0) -> Value:
        """A computed input."""
        found = self._input(position)
        if not isinstance(found, Value):
            raise RefusedError(f"its input {position} is constant", "a computed tensor")
        return found

    def weight(self, position: int) -> Weight:
        """A constant input."""
        found = self._input(position)
        if not isinstance(found, Weight):
            raise RefusedError(f"its input {position} is computed", "a constant")
        return found

    def maybe(self, position: int) -> Weight | None:
        """A constant input that may be left out."""
        left_out = position >= len(self.inputs) or self.inputs[position] is None
        return None if left_out else self.weight(position)

    def ints(self, position: int) -> list[int]:
        """A constant list of whole numbers."""
        array = self.weight(position).array
        if array.dtype.kind not in "iu" or array.size > 64:
            raise RefusedError(f"its input {position} is {array.dtype} {array.shape}", "integers")
        return [int(v) for v in array.ravel()]

    def axis(self, position: int, rank: int) -> int:
        """A constant input that is one axis, counted from the front."""
        return self.axes(position, rank, 1)[0]

    def axes(self, position: int, rank: int, most: int = 8) -> list[int]:
        """A constant input that is a list of axes."""
        given = self.ints(position)
        if not 1 <= len(given) <= most or not all(-rank <= axis < rank for axis in given):
            raise RefusedError(f"its axes are {given} of {rank}")
        return [axis % rank for axis in given]

    def number(self, key: str) -> int:
        """An option; 0 where the file leaves it out."""
        return int(self.options.get(key, 0))

    def _input(self, position: int) -> Value | Weight | None:
        if position >= len(self.inputs):
            raise RefusedError(f"it has {len(self.inputs)} inputs")
        return self.inputs[position]


Importer = Callable[[Builder, Call], Value | Weight | tuple[Value, ...]]


def fused(b: Builder, call: Call, made: Value) -> Value:
    """The activation that the operator ends with."""
    number = call.number("FusedActivationFunction")
    if number == TANH:
        return each(b, Activation("tanh"), made)
    if number not in LIMITS:
        raise RefusedError(f"its fused activation is number {number}", "RELU, RELU6 or TANH")
    return clip(b, made, *LIMITS[number])


def sizes(call: Call, one: str, other: str) -> tuple[int, int]:
    """Two options that are sizes."""
    given = (call.number(one), call.number(other))
    if not 1 <= min(given) <= max(given) <= LARGEST_SIZE:
        raise RefusedError(f"{one} and {other} are {given}", "positive sizes")
    return given
