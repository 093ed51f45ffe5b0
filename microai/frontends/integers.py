# SPDX-License-Identifier: Apache-2.0
"""Quantize and Dequantize pairs around float ops become storage: the ops run in integers.

A float tensor that was dequantized has integers; one that is only quantized gets that storage.
What moves elements or limits them passes storage on in both directions. Where an op has integers
on all sides it becomes an integer node, else conversions stay, as the model says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from microai.fixedpoint import dequantize, half_up, quantize
from microai.frontends.fold_scales import fold_scales
from microai.graph import Graph, Node, drop_dead
from microai.op import Const, Input, Source
from microai.ops import (
    ArgMax,
    DepthwiseConv,
    Dequantize,
    MaxPool,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Resize,
    Slice,
    Transpose,
)
from microai.types import INT_BITS, Array, Arrays, Floats, QTensor, Quant, TensorType

MOVES = Reshape | Resize | Slice | Transpose
"""Whose kernels take any integers, indices too."""
KEEPS = MOVES | MaxPool | Pad | Relu
"""Quantizing before them is the same as behind."""
WEIGHTS = {("int8", "int8"), ("int8", "int4"), ("int16", "int8"), ("int16", "int16")}
"""Storage of activations and weights that kernels know."""
SAME_SCALE = 1e-4  # formats keep a bias's scale as a float32 product


def in_integers(graph: Graph) -> Graph:
    """The graph with every op in integers that has them on all sides."""
    with np.errstate(all="ignore"):  # what is not finite then, `verify` finds
        graph = drop_dead(fold_scales(graph))
        return drop_dead(_Settled(graph, _wanted(graph)).build())


def _wanted(graph: Graph) -> dict[str, Quant]:
    """For float tensors that every reader quantizes alike: that storage."""
    readers: dict[str, list[Node]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node)
    wanted: dict[str, Quant] = {}
    for node in reversed(graph.nodes):
        wishes = [
            user.type.quant if isinstance(user.op, Quantize) else wanted.get(user.name)
            for user in readers[node.name]
            if isinstance(user.op, Quantize | KEEPS)
        ]
        agreed = wishes and len(wishes) == len(readers[node.name]) and len(set(wishes)) == 1
        if agreed and wishes[0] and node.type.quant is None and node.name not in graph.outputs:
            wanted[node.name] = wishes[0]
    return wanted


@dataclass
class _Settled:
    """One walk in execution order. `integers` has for a tensor of the graph the node that holds
    its integers.
    """

    graph: Graph
    wanted: Mapping[str, Quant]
    nodes: dict[str, Node] = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)
    integers: dict[str, str] = field(default_factory=dict)

    def build(self) -> Graph:
        """The new graph; an output that has integers is those."""
        for node in self.graph.nodes:
            self._add(node)
        outputs: list[str] = []
        for name in self.graph.outputs:
            outputs.append(self._delivered(self.integers.get(name, name), outputs))
        return Graph(tuple(self.nodes.values()), tuple(outputs), self.weights)

    def _delivered(self, name: str, before: list[str]) -> str:
        """An output; a copy of what is an input, or an output already."""
        node = self.nodes[name]
        if not isinstance(node.op, Source) and name not in before:
            return name
        copy = f"{name}.output{len(before)}"
        self._put(Node(copy, Reshape(node.type.shape), (name,), node.type))
        return copy

    def _add(self, node: Node) -> None:
        if isinstance(node.op, Source):
            self._source(node)
        elif isinstance(node.op, Dequantize):
            self.integers[node.name] = self.integers[node.inputs[0]]
        elif isinstance(node.op, Quantize):
            self._quantize(node)
        elif not self._integer(node):
            inputs = tuple(self._real(name) for name in node.inputs)
            self._put(replace(node, inputs=inputs))

    def _put(self, node: Node) -> None:
        self.nodes[node.name] = node
        if node.type.quant:
            self.integers[node.name] = node.name

    def _source(self, node: Node) -> None:
        if isinstance(node.op, Const):
            self.weights[node.name] = self.graph.weights[node.name]
        quant = self.wanted.get(node.name) if isinstance(node.op, Input) else None
        self._put(replace(node, type=replace(node.type, quant=node.type.quant or quant)))

    def _quantize(self, node: Node) -> None:
        source = node.inputs[0]
        held = self.integers.get(source)
        if held and self.nodes[held].type.quant == node.type.quant:
            self.integers[node.name] = held
        else:
            self._put(replace(node, inputs=(held or source,)))

    def _real(self, name: str) -> str:
        """The node of a tensor as real numbers; of a constant they are computed now."""
        held = self.integers.get(name)
        if held is None:
            return name
        real = f"{held}.real"
        if real not in self.nodes:
            source = self.nodes[held]
            kind = TensorType(source.type.shape)
            if held in self.weights:
                stored = QTensor(self.weights[held].astype(np.int64), source.type.stored)
                self.weights[real] = dequantize(stored).astype(np.float32)
                self._put(Node(real, Const(kind.shape), (), kind, "flash"))
            else:
                self._put(Node(real, Dequantize(), (held,), kind))
        return real

    def _integer(self, node: Node) -> bool:
        """Put the node in as an integer one, where it has integers on all sides."""
        channels = node.op.CHANNEL_AXIS
        held = [self.integers.get(n) for i, n in enumerate(node.inputs) if i not in channels]
        stored = [self.nodes[name].type.stored for name in held if name]
        out = self._storage_of(node, stored)
        if len(stored) < len(held) or out is None or not _alike(stored, out, node):
            return False
        inputs = [name for name in held if name]
        if channels:
            linear = self._linear(node, stored[0], out)
            if linear is None:
                return False
            inputs = [inputs[0], *linear]
        quants = [self.nodes[name].type.stored for name in inputs]
        insisted = node.op.storage(*quants, out).out
        kind = TensorType(node.type.shape, insisted or out)
        self._put(replace(node, inputs=tuple(inputs), type=kind))
        return True

    def _storage_of(self, node: Node, stored: list[Quant]) -> Quant | None:
        """What it keeps, or what its readers want."""
        wanted = self.wanted.get(node.name)
        if stored and isinstance(node.op, KEEPS | ArgMax):
            return stored[0] if wanted == stored[0] or _holds(node, stored[0]) else None
        return wanted

    def _linear(self, node: Node, x: Quant, out: Quant) -> tuple[str, str] | None:
        """Weights and bias of a layer in integers; None where the weights have none."""
        w = self.integers.get(node.inputs[1]) or self._single_taps(node, node.inputs[1])
        if w is None or w not in self.weights or node.inputs[2] not in self._constants():
            return None
        quant = self.nodes[w].type.stored
        if (x.dtype, quant.dtype) not in WEIGHTS or quant.zero:
            return None
        insisted = node.op.storage(x, quant, quant, out).inputs[2]
        bias = self._bias(node.inputs[2], insisted)
        return None if bias is None else (w, bias)

    def _constants(self) -> set[str]:
        held = {name for name, node in self.integers.items() if node in self.weights}
        return held | set(self.weights)

    def _single_taps(self, node: Node, name: str) -> str | None:
        """Factors of a 1x1 depthwise layer: +-127 and a scale each say them exactly."""
        if not isinstance(node.op, DepthwiseConv) or name not in self.weights:
            return None
        reals = self.weights[name].astype(np.float64)
        if reals.size != reals.shape[-1]:
            return None
        sizes = np.abs(reals).ravel()
        scale = np.where(sizes > 0, sizes, sizes.max() or 1) / 127
        quant = Quant("int8", tuple(scale.tolist()), axis=reals.ndim - 1)
        return self._const(f"{name}.s8", np.sign(reals).astype(np.int8) * np.int8(127), quant)

    def _bias(self, name: str, wished: Quant) -> str | None:
        """The constant at the scales that the layer's sum has; None where it leaves int32."""
        held = self.integers.get(name)
        array = self.weights[held or name]
        own = self.nodes[held].type.quant if held else None
        ints = _rescaled(array.astype(np.float64), own, np.asarray(wished.scale))
        if not np.abs(ints).max(initial=0) < 1 << 31:  # or it is no number
            return None
        return self._const(f"{held or name}.s32", ints.astype(np.int32), wished)

    def _const(self, name: str, array: Array, quant: Quant) -> str:
        """A constant of that name, or of the next that is free; equal ones are one."""
        while name in self.nodes:
            if self.nodes[name].type.quant == quant and np.array_equal(self.weights[name], array):
                return name
            name += "_"
        self.weights[name] = array
        kind = TensorType(array.shape, quant)
        self._put(Node(name, Const(array.shape), (), kind, "flash"))
        return name


def _holds(node: Node, quant: Quant) -> bool:
    """Whether a storage has the op's own numbers: limits, unless it ends before them, and fills."""
    own = node.op.clamp if isinstance(node.op, Relu) else ()
    numbers = np.asarray([n for n in own if n is not None], np.float64)
    lowest, highest = dequantize(QTensor(np.asarray([quant.low, quant.high]), quant))
    if isinstance(node.op, Pad):
        numbers = np.asarray([node.op.value])
    else:
        numbers = np.clip(numbers, lowest, highest)
    near = dequantize(QTensor(quantize(numbers, quant), quant))
    return bool(np.allclose(near, numbers, rtol=0, atol=quant.scale[0] / 64))


def _alike(stored: list[Quant], out: Quant, node: Node) -> bool:
    """One dtype, one scale each."""
    dtypes = {quant.dtype for quant in stored} | {out.dtype}
    single = all(len(quant.scale) == 1 for quant in stored)
    kernels = {"int8", "int16"} if not isinstance(node.op, MOVES) else set(INT_BITS)
    return len(dtypes) == 1 and dtypes <= kernels and single and bool(node.inputs)


def _rescaled(values: Floats, own: Quant | None, scale: Floats) -> Floats:
    """Reals, or integers of another scale, in steps of `scale`; integers of the same are kept."""
    if own is None:
        return half_up(values / scale)
    ratio = np.asarray(own.scale) / scale
    kept = np.abs(ratio - 1) < SAME_SCALE
    return np.where(kept, values - own.zero, half_up((values - own.zero) * ratio))
