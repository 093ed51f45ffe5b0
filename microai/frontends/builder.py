# SPDX-License-Identifier: Apache-2.0
"""A graph under construction by a frontend whose tensors are channels first.

A value remembers which element of the model's own flattened tensor each deployed element is, so
that a flatten costs nothing: the dense layer behind it gets its columns reordered instead.
"""

from dataclasses import dataclass, field

import numpy as np

from microai.graph import Graph, Node
from microai.op import Const, Input, Op
from microai.types import Array, Ints, TensorType

Shape = tuple[int, ...]


class RefusedError(Exception):
    """Why one node cannot be imported, and what to use instead."""

    def __init__(self, why: str, instead: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


@dataclass(frozen=True)
class Value:
    """A tensor: its node, its shape in the model, and the order of its elements here."""

    name: str
    shape: Shape
    order: Ints

    @property
    def canonical(self) -> bool:
        """Whether the elements lie as deployed tensors do: channels last."""
        return np.array_equal(self.order, canonical_order(self.shape))


def canonical_order(shape: Shape) -> Ints:
    """For each deployed element, its index in the model's flattened tensor (batch 1)."""
    index = np.arange(int(np.prod(shape)))
    return np.moveaxis(index.reshape(shape), 1, -1).ravel() if len(shape) > 1 else index


def deployed_shape(shape: Shape) -> Shape:
    """Channels first to channels last."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) > 1 else shape


@dataclass
class Builder:
    """Collects nodes and weights; `place` is the name of the node being imported."""

    nodes: dict[str, Node] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    place: str = ""

    def input(self, name: str, shape: Shape) -> Value:
        """A tensor the caller fills."""
        axes = (0, *range(2, len(shape)), 1) if len(shape) > 2 else ()
        deployed = deployed_shape(shape)
        self._append(Node(name, Input(deployed, axes=axes), (), TensorType(deployed)))
        return Value(name, shape, canonical_order(shape))

    def const(self, name: str, array: Array) -> str:
        """The node of a weight; equal weights of one name are one node."""
        stored = np.ascontiguousarray(array, dtype=np.float32)
        unique = name
        while unique in self.nodes and not self._holds(unique, stored):
            unique += "_"
        if unique not in self.nodes:
            self.weights[unique] = stored
            kind = TensorType(stored.shape)
            self._append(Node(unique, Const(stored.shape), (), kind, place="flash"))
        return unique

    def op(self, op: Op, inputs: tuple[str, ...], shape: Shape, order: Ints | None = None) -> Value:
        """A new node; `shape` is what the model says, in its own layout."""
        kind = op.infer(*(self.nodes[name].type for name in inputs))
        if kind.size != int(np.prod(shape)) or (
            order is None and kind.shape != deployed_shape(shape)
        ):
            raise RefusedError(f"its output is {shape}, this reading of it gives {kind.shape}")
        name = self._unique(self.place)
        self._append(Node(name, op, inputs, kind))
        return Value(name, shape, canonical_order(shape) if order is None else order)

    def graph(self, outputs: list[Value]) -> Graph:
        """All that was collected."""
        return Graph(tuple(self.nodes.values()), tuple(v.name for v in outputs), self.weights)

    def _append(self, node: Node) -> None:
        self.nodes[node.name] = node

    def _holds(self, name: str, array: Array) -> bool:
        return name in self.weights and np.array_equal(self.weights[name], array)

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.nodes:
            unique, count = f"{name}_{count}", count + 1
        return unique
