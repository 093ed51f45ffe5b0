# SPDX-License-Identifier: Apache-2.0
"""A graph under construction by a frontend.

A value remembers which element of the model's own flattened tensor each deployed element is, so
that transposes and flattens cost nothing: whoever reads it gets weights in that order instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from microai.fixedpoint import dequantize
from microai.graph import Graph, Node
from microai.op import Const, Input, Op
from microai.ops import Dequantize
from microai.types import Array, Ints, QTensor, Quant, TensorType

Shape = tuple[int, ...]
Layout = Literal["first", "last"]
"""Where a format has the channels of its images."""

LARGEST_TENSOR = 1 << 20  # elements of an activation; the largest board has 640 KiB
LARGEST_GRAPH = 2048  # nodes and weights
LARGEST_ORDERS = 1 << 25  # elements of all orders that are not the deployed one


class RefusedError(Exception):
    """Why one node cannot be imported, and what to use instead."""

    def __init__(self, why: str, instead: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead

    def __str__(self) -> str:
        return self.why + (f"; use {self.instead}" if self.instead else "")


@dataclass(frozen=True)
class Raw:
    """A tensor that the model has as integers: their type there, and what they mean where that has
    been said.
    """

    dtype: str
    quant: Quant | None


@dataclass(frozen=True)
class Value:
    """A tensor: its node, its shape in the model, and the order of its elements here.

    `moved` has for each deployed element its index in the model's flattened tensor; None where
    elements lie as deployed tensors do, channels last.
    """

    name: str
    shape: Shape
    layout: Layout
    moved: Ints | None = None

    @property
    def canonical(self) -> bool:
        """Whether the elements lie as deployed tensors do."""
        return self.moved is None

    @property
    def order(self) -> Ints:
        """For each deployed element, its index in the model's flattened tensor."""
        return canonical_order(self.shape, self.layout) if self.moved is None else self.moved


@dataclass(frozen=True)
class Weight:
    """A constant with its name in the model: real numbers, or integers and what they mean."""

    name: str
    array: Array
    quant: Quant | None = None

    @property
    def reals(self) -> Array:
        """As float32."""
        if self.quant is None:
            return self.array.astype(np.float32)
        return dequantize(QTensor(self.array.astype(np.int64), self.quant)).astype(np.float32)

    def arranged(self, move: Callable[[Array], Array], axis: int = 0) -> "Weight":
        """The array moved; `axis` is where scales for each channel lie then."""
        quant = self.quant and replace(self.quant, axis=axis)
        return replace(self, array=move(self.array), quant=quant)


def deployed_shape(shape: Shape, layout: Layout) -> Shape:
    """The model's shape with the channels last."""
    if layout == "last" or len(shape) < 2:
        return shape
    return (shape[0], *shape[2:], shape[1])


def canonical_order(shape: Shape, layout: Layout) -> Ints:
    """For each deployed element, its index in the model's flattened tensor (batch 1)."""
    index = np.arange(int(np.prod(shape)))
    if layout == "last" or len(shape) < 3:
        return index
    return np.moveaxis(index.reshape(shape), 1, -1).ravel()


@dataclass
class Builder:
    """Collects nodes and weights; `place` is the name of the node being imported."""

    layout: Layout = "first"
    nodes: dict[str, Node] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    place: str = ""
    raw: dict[str, Raw] = field(default_factory=dict)
    moved_elements: int = 0

    def input(
        self, name: str, shape: Shape, quant: Quant | None = None, *, kept: bool = False
    ) -> Value:
        """A tensor the caller fills; `kept`: it is deployed as it lies in the model."""
        self.check_size(shape)
        moves = self.layout == "first" and len(shape) > 2 and not kept
        axes = (0, *range(2, len(shape)), 1) if moves else ()
        deployed = deployed_shape(shape, self.layout) if moves else shape
        unique = self._unique(name)
        self._append(Node(unique, Input(deployed, axes=axes), (), TensorType(deployed, quant)))
        if moves or self.layout == "last" or len(shape) < 3:
            return Value(unique, shape, self.layout)
        return self.value(unique, shape, np.arange(int(np.prod(shape))))

    def const(self, weight: Weight) -> str:
        """The node of a weight as real numbers; equal weights of one name are one node."""
        if weight.quant is None:
            return self._const(weight.name, np.array(weight.array, np.float32, order="C"), None)
        stored = np.array(weight.array, TensorType((), weight.quant).element, order="C")
        source = self._const(weight.name, stored, weight.quant)
        name = f"{source}.real"
        if name not in self.nodes:
            self._append(Node(name, Dequantize(), (source,), TensorType(stored.shape)))
        return name

    def _const(self, name: str, stored: Array, quant: Quant | None) -> str:
        unique = name
        while unique in self.nodes and not self._holds(unique, stored, quant):
            unique += "_"
        if unique not in self.nodes:
            self.weights[unique] = stored
            kind = TensorType(stored.shape, quant)
            self._append(Node(unique, Const(stored.shape), (), kind, place="flash"))
        return unique

    def op(
        self, op: Op, inputs: tuple[str, ...], shape: Shape, order: Ints | None = None,
        quant: Quant | None = None,
    ) -> Value:  # fmt: skip
        """A new node; `shape` is what the model says, in its own layout."""
        kind = op.infer(*(self.nodes[name].type for name in inputs))
        deployed = deployed_shape(shape, self.layout)
        if kind.size != int(np.prod(shape)) or (order is None and kind.shape != deployed):
            raise RefusedError(f"its output is {shape}, this reading of it gives {kind.shape}")
        self.check_size(shape)
        name = self._unique(self.place)
        self._append(Node(name, op, inputs, TensorType(kind.shape, quant)))
        return self.value(name, shape, order)

    def value(self, name: str, shape: Shape, order: Ints | None = None) -> Value:
        """A node seen under a shape of the model, its elements in that order."""
        if order is None or np.array_equal(order, canonical_order(shape, self.layout)):
            return Value(name, shape, self.layout)
        self.moved_elements += len(order)
        if self.moved_elements > LARGEST_ORDERS:
            raise RefusedError("the network moves too many elements", "fewer transposes")
        return Value(name, shape, self.layout, order)

    def graph(self, outputs: list[Value]) -> Graph:
        """All that was collected."""
        return Graph(tuple(self.nodes.values()), tuple(v.name for v in outputs), self.weights)

    def check_size(self, shape: Shape) -> None:
        """RefusedError for what no microcontroller holds."""
        if min(shape, default=1) < 1 or np.prod(shape, dtype=float) > LARGEST_TENSOR:
            raise RefusedError(
                f"a tensor is {shape}", f"sizes from 1, {LARGEST_TENSOR} elements at most"
            )

    def _append(self, node: Node) -> None:
        if len(self.nodes) >= LARGEST_GRAPH:
            raise RefusedError(f"the network has over {LARGEST_GRAPH} nodes and weights", "fewer")
        self.nodes[node.name] = node

    def _holds(self, name: str, array: Array, quant: Quant | None) -> bool:
        same = name in self.weights and self.nodes[name].type.quant == quant
        return same and np.array_equal(self.weights[name], array)

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.nodes:
            unique, count = f"{name}_{count}", count + 1
        return unique
