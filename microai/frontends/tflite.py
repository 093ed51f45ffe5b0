# SPDX-License-Identifier: Apache-2.0
"""TFLite models: float32, int8 and int16 with int8 weights, per tensor or per channel.

Every integer tensor is read as what it means, real numbers that were quantized; `in_integers` then
finds the ops that run in integers.
"""

from functools import partial
from pathlib import Path

import numpy as np

from microai.frontends.builder import Builder, RefusedError, Value, Weight
from microai.frontends.integers import in_integers
from microai.frontends.layout import delivered
from microai.frontends.problems import Problems
from microai.frontends.storage import quant_of, weight_of
from microai.frontends.tflite_call import Call
from microai.frontends.tflite_file import File, Operator, Tensor, read_file
from microai.frontends.tflite_ops import IMPORTERS, INSTEAD, RECURRENT
from microai.graph import Graph, drop_dead, verify
from microai.ops import Dequantize, Quantize
from microai.types import Quant

Held = Value | Weight | None
"""What a tensor stands for; None where it has a problem."""


def import_tflite(path: Path) -> Graph:
    """The graph; UnsupportedError lists everything that has no place in it."""
    graph = in_integers(drop_dead(_Reader(read_file(path)).read()))
    verify(graph)
    return graph


class _Reader:
    """Walks the operators once, in order, collecting nodes and problems."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.builder = Builder("last")
        self.held: dict[int, Held] = {}
        self.problems = Problems()
        self.places = {self._place(o, i) for i, o in enumerate(file.operators)}

    def read(self) -> Graph:
        """The graph, or every problem in one message."""
        for index in self.file.inputs:
            self.problems.guard(f"input {self._name(index)}", partial(self._input, index))
        for number, operator in enumerate(self.file.operators):
            place = self._place(operator, number)
            self.problems.guard(f"{place}: {operator.name}", partial(self._run, operator, place))
        outputs: list[Value] = []
        for index in self.file.outputs:
            self.problems.guard(
                f"output {self._name(index)}", partial(self._output, index, outputs)
            )
        self.problems.report()
        return self.builder.graph(outputs)

    def _name(self, index: int) -> str:
        """Converters join the names of fused layers by semicolons, the last layer's first."""
        return self.file.tensors[index].name.partition(";")[0]

    def _place(self, operator: Operator, number: int) -> str:
        own = self._name(operator.outputs[0]) if operator.outputs else ""
        return own or f"{operator.name.lower()}_{number}"

    def _constant_name(self, index: int) -> str:
        """Its own, unless a layer has it too: fused layers name their biases after themselves."""
        own = self._name(index) or f"constant_{index}"
        return f"{own}.constant" if own in self.places else own

    def _input(self, index: int) -> None:
        tensor = self.file.tensors[index]
        self.held[index] = None
        if tensor.shape[:1] != (1,) or not 2 <= len(tensor.shape) <= 4:
            raise RefusedError(f"it is {tensor.shape}", "(1, features), (1, L, C) or (1, H, W, C)")
        quant = _storage(tensor)
        value = self.builder.input(self._name(index) or f"input_{index}", tensor.shape, quant)
        self.held[index] = self._real(value) if quant else value

    def _run(self, operator: Operator, place: str) -> None:
        inputs = self._operands(operator)
        if any(held is None and i >= 0 for held, i in zip(inputs, operator.inputs, strict=True)):
            return  # its problem is reported already
        tensors = [self.file.tensors[index] for index in operator.outputs]
        if not tensors:
            raise RefusedError("it has no outputs")
        self.builder.place = place
        shapes = tuple(tensor.shape for tensor in tensors)
        dtypes = tuple(tensor.dtype for tensor in tensors)
        call = Call(place, inputs, operator.options, shapes, dtypes)
        made = IMPORTERS[operator.name](self.builder, call)
        results = made if isinstance(made, tuple) else (made,)
        if len(results) != len(tensors):
            raise RefusedError(f"it makes {len(results)} tensors, the file names {len(tensors)}")
        for index, tensor, result in zip(operator.outputs, tensors, results, strict=True):
            self.held[index] = self._stored(result, tensor)

    def _operands(self, operator: Operator) -> list[Held]:
        """What it reads; what it makes has a problem until it is made."""
        try:
            if operator.name not in IMPORTERS:
                raise RefusedError(*_unknown(operator.name))
            return [self._operand(index) for index in operator.inputs]
        finally:
            for index in operator.outputs:
                self.held.setdefault(index, None)

    def _operand(self, index: int) -> Held:
        """A tensor as an op reads it; constants when they are first read."""
        if index not in self.held and index >= 0:
            tensor = self.file.tensors[index]
            if tensor.data is None:
                raise RefusedError(f"it reads {tensor.name!r}, which nothing makes before it")
            self.held[index] = _constant(tensor, self._constant_name(index))
        return self.held.get(index)

    def _stored(self, result: Value | Weight, tensor: Tensor) -> Held:
        """A result in the storage that the file gives it."""
        if isinstance(result, Weight):
            return result
        if result.shape != tensor.shape:
            raise RefusedError(f"the file says {tensor.shape}, it makes {result.shape}")
        quant = _storage(tensor)
        if quant is None:
            return result
        self.builder.place = f"{result.name}.{quant.dtype}"
        stored = self.builder.op(Quantize(), (result.name,), result.shape, result.moved, quant)
        return self._real(stored)

    def _real(self, stored: Value) -> Value:
        self.builder.place = f"{stored.name}.real"
        return self.builder.op(Dequantize(), (stored.name,), stored.shape, stored.moved)

    def _output(self, index: int, outputs: list[Value]) -> None:
        held = self.held.get(index)
        if isinstance(held, Weight) or index not in self.held:
            raise RefusedError("it is constant or not computed")
        if held:
            self.builder.place = f"{held.name}.output"
            outputs.append(delivered(self.builder, held, outputs))


def _unknown(name: str) -> tuple[str, str]:
    """Why there is no importer, and what to use."""
    if name.startswith("custom:"):
        return f"{name.removeprefix('custom:')!r} is a custom operator of another tool", ""
    if name in RECURRENT:
        return "recurrent layers are not built yet", "convolutions over time"
    return "no such op here", INSTEAD.get(name, "one that `microai ops --imports` lists")


def _storage(tensor: Tensor) -> Quant | None:
    """An activation's; None for float32 and for indices."""
    if tensor.dtype in ("float32", "int32", "int64") and not (
        tensor.dtype == "int32" and tensor.scale.size
    ):
        return None
    return quant_of(tensor.dtype, tensor.scale, tensor.zero)


def _constant(tensor: Tensor, name: str) -> Weight:
    assert tensor.data is not None
    array, dtype = tensor.data, tensor.dtype
    if not tensor.scale.size or dtype.startswith("float"):
        return Weight(name, array)
    if dtype == "int64":  # the bias of int16 layers
        if np.abs(array).max(initial=0) >= 1 << 31:
            raise RefusedError(f"{name!r} leaves int32", "weights with larger scales")
        array, dtype = array.astype(np.int32), "int32"
    axis = tensor.axis if array.ndim > 1 else 0  # some files have the filters' for a bias
    return weight_of(name, array, quant_of(dtype, tensor.scale, tensor.zero, axis))
