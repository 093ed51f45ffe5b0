# SPDX-License-Identifier: Apache-2.0
"""An ONNX model under construction: channels first, integers as QuantizeLinear, DequantizeLinear.

Every value is float32 between a DequantizeLinear and the next QuantizeLinear; indices are int32.
"""

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from microai.graph import Graph, Node
from microai.types import Array, Quant, TensorType

Shape = tuple[int, ...]
ELEMENTS = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
"""What crosses the interface."""


class Draft:
    """What is written so far; `values` has the tensor of each node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[str, str] = {}
        self.flat: dict[str, Shape] = {}  # what a vector was, where its channels come first
        self.scope = ""  # the node that is being written
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self._weights: dict[tuple[str, Shape, bytes], str] = {}
        self._taken = {*graph.outputs, *(node.name for node in graph.inputs)}

    def value(self, name: str) -> str:
        """The tensor of a node or a constant."""
        if name not in self.values:
            kind = self.graph[name].type
            array = self.graph.weights[name]
            array = array.transpose(to_first(len(kind.shape)))
            self.values[name] = self.weight(name, array)
        return self.values[name]

    def constant(self, name: str, array: Array) -> str:
        """An initializer."""
        name = self._fresh(name)
        self.constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def numbers(self, *values: int) -> str:
        """Sizes and the like, which operators read as tensors."""
        return self.constant(f"{self.scope}/sizes", np.asarray(values, np.int64))

    def real(self, value: float) -> str:
        """A float32 number."""
        return self.constant(f"{self.scope}/{value:g}", np.asarray(value, np.float32))

    def weight(self, name: str, array: Array, axis: int = 0) -> str:
        """A constant, arranged as ONNX has it, as float32; layers that share it share it here."""
        quant, key = self.graph[name].type.quant, (name, array.shape, array.tobytes())
        if key not in self._weights and quant is None:
            self._weights[key] = self.constant(name, array)
        elif key not in self._weights:
            assert quant
            stored = [self.constant(f"{name}/stored", array), *self._scales(name, quant)]
            self._weights[key] = self.emit("DequantizeLinear", stored, name, axis=axis)
        return self._weights[key]

    def emit(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """An operator and the tensor it makes."""
        made = self._fresh(name or f"{self.scope}/{kind}")
        self.nodes.append(helper.make_node(kind, inputs, [made], made, **attributes))
        return made

    def output(self, name: str, axes: Shape) -> None:
        """A node's tensor under the node's own name, its axes in another order."""
        kind = "Transpose" if moved(axes) else "Identity"
        options: dict[str, Any] = {"perm": axes} if moved(axes) else {}
        self.nodes.append(helper.make_node(kind, [self.values[name]], [name], name, **options))

    def stored(self, real: str, name: str, quant: Quant | None) -> str:
        """A tensor brought into its storage, and back."""
        if quant is None or quant.dtype == "int32":
            return real
        steps = self._scales(name, quant)
        ints = self.emit("QuantizeLinear", [real, *steps], f"{name}/stored")
        return self.emit("DequantizeLinear", [ints, *steps], f"{name}/real")

    def transposed(self, name: str, axes: Shape) -> str:
        """Axes in another order, where it is another."""
        return self.emit("Transpose", [name], perm=axes) if moved(axes) else name

    def reshaped(self, name: str, shape: Shape) -> str:
        """The same elements under another shape."""
        return self.emit("Reshape", [name, self.numbers(*shape)])

    def _fresh(self, name: str) -> str:
        """A name that nothing has yet: nodes may be called anything."""
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free

    def _scales(self, name: str, quant: Quant) -> list[str]:
        """Scale and zero point; int32 has none."""
        one = len(quant.scale) == 1
        scale = np.asarray(quant.scale[0] if one else quant.scale, np.float32)
        names = [self.constant(f"{name}/scale", scale)]
        if quant.dtype == "int32":
            return names
        kind = TensorType((), quant).element
        zero = np.full(scale.shape, quant.zero, kind)
        return [*names, self.constant(f"{name}/zero", zero)]


def moved(axes: Shape) -> bool:
    """Whether a transpose does anything."""
    return axes != tuple(range(len(axes)))


def to_first(rank: int) -> Shape:
    """Channels last to channels first."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else tuple(range(rank))


def to_last(rank: int) -> Shape:
    """Channels first to channels last."""
    return (0, *range(2, rank), 1) if rank > 2 else tuple(range(rank))


def first(shape: Shape) -> Shape:
    """A shape with its channels first."""
    return tuple(shape[axis] for axis in to_first(len(shape)))


def axis_of(axis: int, rank: int) -> int:
    """Where an axis of a node's tensor is in the file."""
    return to_first(rank).index(axis)


def moves(shape: Shape) -> bool:
    """Whether elements change places when channels do."""
    return len(shape) > 2 and shape[-1] > 1 and any(size > 1 for size in shape[1:-1])


def interface(node: Node, name: str, shape: Shape) -> ValueInfoProto:
    """An input or output."""
    element = "int32" if node.type.dtype == "int32" else "float32"
    return helper.make_tensor_value_info(name, ELEMENTS[element], shape)
