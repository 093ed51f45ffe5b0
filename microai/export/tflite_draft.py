# SPDX-License-Identifier: Apache-2.0
"""A .tflite file under construction. A tensor of one axis is an image one pixel high in it."""

from dataclasses import replace

import numpy as np

from microai.export.tflite_file import File, Operator, Tensor
from microai.export.tflite_names import KINDS, version
from microai.fixedpoint import Clamp, clamp_ints
from microai.graph import Graph, Node
from microai.types import Array, Quant, TensorType

FUSED: dict[Clamp, int] = {(None, None): 0, (0.0, None): 1, (-1.0, 1.0): 2, (0.0, 6.0): 3}
"""Limits that an operator can have built in, by the schema's ActivationFunctionType."""
RECTIFIERS = {1: "RELU", 3: "RELU6"}
"""Those that are operators as well, everywhere."""


class Draft:
    """What is written so far; `values` has the tensor of each node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[str, int] = {}
        self.types: list[TensorType] = []
        self.scope = ""  # the node that is being written
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._constants: dict[tuple[str, tuple[int, ...], str, int], int] = {}

    def file(self, inputs: list[int], outputs: list[int]) -> File:
        """What is there, with an interface."""
        return File(tuple(self._tensors), tuple(self._operators), inputs, outputs)

    def value(self, name: str) -> int:
        """The tensor of a node or a constant."""
        if name not in self.values:
            kind = self.graph[name].type
            array = self.graph.weights[name].reshape(lifted(kind.shape))
            self.values[name] = self.constant(name, array, kind.quant)
        return self.values[name]

    def tensor(self, name: str, kind: TensorType) -> int:
        """An activation. Indices are plain numbers."""
        quant = kind.quant if kind.dtype != "int32" else None
        scale, zero = (quant.scale, quant.zero) if quant else ((), 0)
        return self._add(Tensor(name, kind.shape, kind.dtype, None, scale, zero), kind)

    def constant(self, name: str, array: Array, quant: Quant | None = None, axis: int = 0) -> int:
        """A tensor with its values; layers that share a weight share it here."""
        key = (name, array.shape, str(array.dtype), axis)
        if key not in self._constants:
            scale, zero = (quant.scale, quant.zero) if quant else ((), 0)
            tensor = Tensor(name, array.shape, str(array.dtype), array, scale, zero, axis)
            self._constants[key] = self._add(tensor, TensorType(array.shape, quant))
        return self._constants[key]

    def numbers(self, *values: int | list[int] | list[list[int]]) -> int:
        """Sizes, axes and the like, which operators read as tensors."""
        array = np.asarray(values if len(values) > 1 else values[0], np.int32)
        return self.constant(f"{self.scope}/{len(self._tensors)}", array)

    def real(self, value: float, kind: TensorType) -> int:
        """A number as a tensor of one element; integers have it exactly, or nearly so."""
        quant = kind.quant and Quant(kind.dtype, (value / 16384,))
        array = np.full((1,) * len(kind.shape), 16384 if quant else value, kind.dtype)
        return self.constant(f"{self.scope}/{value:g}", array, quant)

    def emit(
        self, code: str, inputs: list[int], kind: TensorType, **options: float
    ) -> int:  # fmt: skip
        """An operator and the tensor that it makes."""
        made = self.tensor(f"{self.scope}/{code.lower()}_{len(self._tensors)}", kind)
        number = version(code, self.types[inputs[0]], kind)
        self._operators.append(
            Operator(code, number, inputs, (made,), KINDS.get(code, ""), options)
        )
        return made

    def name(self, index: int, name: str, only: str | None = None) -> None:
        """What people see; with `only`, in place of that name alone."""
        if only in (None, self._tensors[index].name):
            self._tensors[index] = replace(self._tensors[index], name=name)

    def reshaped(self, index: int, shape: tuple[int, ...]) -> int:
        """The same elements, under another shape where it is another."""
        kind = self.types[index]
        if kind.shape == shape:
            return index
        return self.emit("RESHAPE", [index, self.numbers(list(shape))], replace(kind, shape=shape))

    def requantized(self, index: int, quant: Quant | None) -> int:
        """The same numbers, in another storage where it is another."""
        kind = self.types[index]
        if kind.quant is None or quant is None or same(kind.quant, quant):
            return index
        return self.emit("QUANTIZE", [index], replace(kind, quant=quant))

    def widened(self, index: int, out: TensorType) -> tuple[int, TensorType]:
        """int8 as int16, 128 times as fine, and the same of an output: what follows may then round
        more than once.
        """
        if out.dtype != "int8":
            return index, out
        wide = self.requantized(index, _finer(self.types[index].stored))
        return wide, replace(out, quant=_finer(out.stored))

    def closed(
        self, code: str, inputs: list[int], kind: TensorType, clamp: Clamp, **options: float
    ) -> int:
        """An operator with a clamp, built in where that can be."""
        limit = fused(clamp, kind.quant)
        made = self.emit(code, inputs, kind, FusedActivationFunction=limit or 0, **options)
        return self.limited(made, clamp) if limit is None else made

    def limited(self, index: int, clamp: Clamp) -> int:
        """Limited to a clamp by operators of their own."""
        kind = self.types[index]
        low, high = limits(clamp, kind.quant)
        least, most = limits((None, None), kind.quant)
        for code, limit, idle in (("MAXIMUM", low, least), ("MINIMUM", high, most)):
            if limit != idle:
                array = np.full((1,) * len(kind.shape), limit, kind.dtype)
                end = self.constant(f"{self.scope}/{code.lower()}", array, kind.quant)
                index = self.emit(code, [index, end], kind)
        return index

    def _add(self, tensor: Tensor, kind: TensorType) -> int:
        self._tensors.append(tensor)
        self.types.append(kind)
        return len(self._tensors) - 1


def lifted(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(1, L, C) as an image (1, 1, L, C)."""
    return (1, *shape) if len(shape) == 3 else shape


def image(node: Node) -> TensorType:
    """A node's type in the file."""
    return replace(node.type, shape=lifted(node.type.shape))


def axis_of(axis: int, shape: tuple[int, ...]) -> int:
    """Where an axis of a node's tensor is in the file."""
    return axis + len(lifted(shape)) - len(shape)


def _finer(quant: Quant) -> Quant:
    return Quant("int16", (quant.scale[0] / 128,))


def same(a: Quant, b: Quant) -> bool:
    """Whether integers mean the same."""
    return (a.dtype, a.scale, a.zero) == (b.dtype, b.scale, b.zero)


def limits(clamp: Clamp, quant: Quant | None) -> tuple[float, float]:
    """A clamp as numbers of a storage."""
    if quant:
        return clamp_ints(clamp, quant)
    low, high = clamp
    return (-np.inf if low is None else low, np.inf if high is None else high)


def fused(clamp: Clamp, quant: Quant | None) -> int | None:
    """The built-in limits that do the same in this storage; None where there are none."""
    wanted = limits(clamp, quant)
    return next((n for real, n in FUSED.items() if limits(real, quant) == wanted), None)
