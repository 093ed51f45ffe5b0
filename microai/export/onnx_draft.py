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

    def value(self, name: str) -> str:
        """The tensor of a node or a constant."""
        if name not in self.values:
            kind = self.graph[name].type
            array = self.graph.weights[name]
            array = array.transpose(to_first(len(kind.shape)))
            self.values[name] = self.weight(name, array, kind.quant)
        return self.values[name]

    def constant(self, name: str, array: Array) -> str:
        """An initializer."""
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def numbers(self, *values: int) -> str:
        """Sizes and the like, which operators read as tensors."""
        return self.constant(f"{self.scope}/{len(self.constants)}", np.asarray(values, np.int64))

    def real(self, value: float) -> str:
        """A float32 number."""
        name = f"{self.scope}/{len(self.constants)}"
        return self.constant(name, np.asarray(value, np.float32))

    def weight(self, name: str, array: Array, quant: Quant | None, axis: int = 0) -> str:
        """A constant as float32, stored as the graph stores it."""
        if name in self.values and axis == 0:
            return self.values[name]
        if quant is None:
            return self.constant(name, array)
        stored = self.constant(f"{name}/stored", array)
        return self.emit("DequantizeLinear", [stored, *self._scales(name, quant)], name, axis=axis)

    def emit(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """An operator and the tensor it makes."""
        made = name or f"{self.scope}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [made], made, **attributes))
        return made

    def stored(self, real: str, name: str, quant: Quant | None) -> str:
        """A tensor brought into its storage, and back."""
        if quant is None or quant.dtype == "int32":
            return real
        steps = self._scales(name, quant)
        ints = self.emit("QuantizeLinear", [real, *steps], f"{name}/stored")
        return self.emit("DequantizeLinear", [ints, *steps], f"{name}/real")

    def transposed(self, name: str, axes: Shape) -> str:
        """Axes in another order, where it is another."""
        if axes == tuple(range(len(axes))):
            return name
        return self.emit("Transpose", [name], perm=axes)

    def reshaped(self, name: str, shape: Shape) -> str:
        """The same elements under another shape."""
        return self.emit("Reshape", [name, self.numbers(*shape)])

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
