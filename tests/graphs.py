# SPDX-License-Identifier: Apache-2.0
"""Small graphs that several tests use."""

from dataclasses import replace

import numpy as np

from microai.graph import Graph, Node, apply, verify
from microai.op import Const, Input, Op
from microai.ops import (
    Activation,
    Add,
    ArgMax,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    MaxPool,
    Mul,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Resize,
    Slice,
    Softmax,
    Sub,
)
from microai.pipeline import quantize_graph
from microai.quantize import ptq
from microai.quantize.observe import observe
from microai.quantize.scheme import SCHEMES
from microai.types import Array, TensorType


class Sketch:
    """Builds a float graph line by line; weights are drawn as they are named."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[str, Array] = {}
        self.random = np.random.default_rng(seed)

    def input(self, name: str, *shape: int) -> str:
        """A tensor the caller fills."""
        return self._add(Node(name, Input(shape), (), TensorType(shape)))

    def const(self, name: str, *shape: int) -> str:
        """A weight."""
        values = self.random.normal(scale=0.4, size=shape)
        self.weights[name] = values.astype(np.float32)
        return self._add(Node(name, Const(shape), (), TensorType(shape), "flash"))

    def op(self, name: str, op: Op, *inputs: str) -> str:
        """A step."""
        types = [next(n.type for n in self.nodes if n.name == i) for i in inputs]
        return self._add(Node(name, op, inputs, op.infer(*types)))

    def graph(self, *outputs: str) -> Graph:
        """What was sketched, verified."""
        graph = Graph(tuple(self.nodes), outputs, self.weights)
        verify(graph)
        return graph

    def _add(self, node: Node) -> str:
        self.nodes.append(node)
        return node.name


def residual() -> Graph:
    """Convolutions, a scale to fold, a residual add, pools, a dense layer, softmax."""
    s = Sketch()
    x = s.input("x", 1, 8, 8, 2)
    conv = s.op("conv", Conv(pads=(1, 1, 1, 1)), x, s.const("w", 4, 3, 3, 2), s.const("b", 4))
    scale = s.op("bn", DepthwiseConv(), conv, s.const("g", 1, 1, 4), s.const("h", 4))
    relu = s.op("relu", Relu(), scale)
    depthwise = DepthwiseConv(pads=(1, 1, 1, 1))
    branch = s.op("branch", depthwise, relu, s.const("dw", 3, 3, 4), s.const("db", 4))
    total = s.op("relu6", Relu(6.0), s.op("add", Add(), relu, branch))
    pooled = s.op("max", MaxPool((2, 2), (2, 2)), total)
    mean = s.op("mean", AvgPool((4, 4), (4, 4)), pooled)
    flat = s.op("flat", Reshape((1, 4)), s.op("same", Reshape((1, 1, 1, 4)), mean))
    dense = s.op("dense", Dense(), flat, s.const("fw", 3, 4), s.const("fb", 3))
    return s.graph(s.op("softmax", Softmax(), dense))


def scaled_dense() -> Graph:
    """A scale behind a dense layer, with the reshapes that BatchNorm1d brings; output a Relu."""
    s = Sketch(1)
    x = s.input("x", 1, 5)
    dense = s.op("dense", Dense(), x, s.const("w", 4, 5), s.const("b", 4))
    image = s.op("image", Reshape((1, 1, 1, 4)), dense)
    scale = s.op("bn", DepthwiseConv(), image, s.const("g", 1, 1, 4), s.const("h", 4))
    return s.graph(s.op("relu", Relu(), s.op("flat", Reshape((1, 4)), scale)))


def shared() -> Graph:
    """One weight and bias in two layers, a Relu whose input others need, two outputs."""
    s = Sketch(2)
    x = s.input("x", 1, 6)
    w, b = s.const("w", 6, 6), s.const("b", 6)
    first = s.op("first", Dense(), x, w, b)
    relu = s.op("relu", Relu(), first)
    again = s.op("again", Relu(), relu)
    second = s.op("second", Dense(), again, w, b)
    return s.graph(s.op("sum", Add(), first, second), s.op("out", Relu(0.5), second))


def chains() -> Graph:
    """Two scales and two rectifiers in a row, and rectifiers behind what has its own storage."""
    s = Sketch(4)
    x = s.input("x", 1, 3, 3, 2)
    conv = s.op("conv", Conv(), x, s.const("w", 4, 2, 2, 2), s.const("b", 4))
    one = s.op("bn1", DepthwiseConv(), conv, s.const("g1", 1, 1, 4), s.const("h1", 4))
    two = s.op("bn2", DepthwiseConv(), one, s.const("g2", 1, 1, 4), s.const("h2", 4))
    limited = s.op("relu6", Relu(6.0), s.op("relu", Relu(), two))
    soft = s.op("softmax", Softmax(), limited)
    again = s.op("r2", Relu(), s.op("r1", Relu(), soft))
    return s.graph(s.op("pool", MaxPool((2, 2), (1, 1)), again))


def branches() -> Graph:
    """A map taken apart and put together again, enlarged, gated, and its largest channel."""
    s = Sketch(5)
    x = s.input("x", 1, 4, 5, 6)
    left = s.op("left", Slice(3, 0, 2), x)
    right = s.op("r", Relu(), s.op("right", Slice(3, 2, 6), s.op("rectified", Relu(), x)))
    whole = s.op("whole", Concat(3), right, s.op("tanh", Activation("tanh"), left))
    up = ConvTranspose((2, 2), (1, 0, 1, 0))
    large = s.op("up", up, whole, s.const("w", 3, 3, 3, 6), s.const("b", 3))
    scale = s.op("bn", DepthwiseConv(), large, s.const("g", 1, 1, 3), s.const("h", 3))
    relu = s.op("relu", Relu(), scale)
    near = s.op("near", Resize((8, 10)), relu)
    less = s.op("relu6", Relu(6.0), s.op("less", Sub(), near, relu))
    gate = s.op("gate", Activation("sigmoid"), s.op("mean", AvgPool((8, 10)), near))
    gated = s.op("last", Relu(), s.op("gated", Mul(), less, gate))
    return s.graph(s.op("pad", Pad((1, 0, 0, 1, 0, 0)), gated), s.op("index", ArgMax(), gated))


def twice() -> Graph:
    """A margin that two layers read, and a rectified part taken and pooled twice."""
    s = Sketch(6)
    margin = s.op("margin", Pad((1, 1, 0, 1, 0, 0)), s.input("x", 1, 5, 6, 4))
    conv = s.op("conv", Conv(pads=(0, 0, 1, 0)), margin, s.const("w", 4, 3, 3, 4), s.const("b", 4))
    depthwise = s.op("dw", DepthwiseConv(), margin, s.const("g", 3, 2, 4), s.const("h", 4))
    parts = []
    for i in ("1", "2"):
        relu = s.op(f"relu{i}", Relu(6.0), s.op(f"part{i}", Slice(3, 1, 3), conv))
        parts.append(s.op(f"pool{i}", MaxPool((2, 2), (2, 2)), relu))
    return s.graph(s.op("sum", Add(), *parts), parts[1], depthwise)


def tables() -> Graph:
    """Functions in a row, one of which does nothing, and one that two read."""
    s = Sketch(7)
    dense = s.op("dense", Dense(), s.input("x", 1, 6), s.const("w", 8, 6), s.const("b", 8))
    tanh = s.op("tanh", Activation("tanh"), s.op("same", Quantize(), dense))
    swish = s.op("swish", Activation("hard_swish"), tanh)
    limited = s.op("limited", Relu(0.5, -0.3), s.op("relu", Relu(0.6, None), swish))
    elu = s.op("elu", Activation("elu"), s.op("gelu", Activation("gelu"), limited))
    return s.graph(s.op("sum", Add(), limited, elu), s.op("last", Relu(), elu))


def sparse() -> Graph:
    """Filters of zeros, one that never opens, a column that nothing reads; some with a border."""
    s = Sketch(8)
    x, w, b = s.input("x", 1, 5, 5, 3), s.const("w", 12, 1, 1, 3), s.const("b", 12)
    conv = s.op("conv", Conv(), x, w, b)
    relu = s.op("relu", Relu(), conv)
    around = DepthwiseConv(pads=(1, 1, 1, 1))
    depthwise = s.op("dw", around, relu, s.const("g", 3, 3, 12), s.const("h", 12))
    mixed = s.op("mix", Conv(), s.op("relu6", Relu(6.0), depthwise),
                 s.const("v", 8, 1, 1, 12), s.const("c", 8))  # fmt: skip
    s.weights["w"][[0, 2, 3, 5, 7, 8]] = 0
    s.weights["b"][[0, 2, 3, 4, 5, 7, 8]] = [0, -0.5, 0.7, -90, -0.1, 0, -3]
    s.weights["v"][[1, 2, 3, 4, 6]] = 0
    last = s.op("last", Relu(), s.op("max", MaxPool((2, 2)), mixed))
    flat = s.op("flat", Reshape((1, 8)), s.op("mean", AvgPool((4, 4)), last))
    return s.graph(s.op("dense", Dense(), flat, s.const("d", 3, 8), s.const("e", 3)))


GRAPHS = {
    "residual": residual,
    "scaled_dense": scaled_dense,
    "shared": shared,
    "chains": chains,
    "branches": branches,
    "twice": twice,
    "tables": tables,
    "sparse": sparse,
}


def samples(graph: Graph, count: int = 16, seed: int = 3) -> dict[str, Array]:
    """Random real inputs."""
    random = np.random.default_rng(seed)
    return {
        n.name: random.normal(0.2, 1, (count, *n.type.shape[1:])).astype(np.float32)
        for n in graph.inputs
    }


def quantized(name: str, scheme: str = "int8") -> Graph:
    """A graph in integers."""
    graph = GRAPHS[name]()
    return apply(quantize_graph(graph, SCHEMES[scheme], samples(graph)), ())


def coarse(name: str) -> Graph:
    """A graph in int8 that is the same on every machine: its weights and samples are sixteenths, so
    float32 sums are exact in whatever order a processor makes them.
    """
    graph = GRAPHS[name]()
    graph = replace(graph, weights={n: sixteenths(w) for n, w in graph.weights.items()})
    reals = {n: sixteenths(x) for n, x in samples(graph).items()}
    return apply(quantize_graph(graph, SCHEMES["int8"], reals), ())


def sixteenths(array: Array) -> Array:
    return np.round(array * 16).astype(np.float32) / 16


def imported(name: str, scheme: str = "int8") -> Graph:
    """A graph in integers that no float pass has seen, as another tool would have stored it."""
    graph = GRAPHS[name]()
    ranges = observe(graph, samples(graph), SCHEMES[scheme])
    return apply(ptq.quantize(graph, SCHEMES[scheme], ranges), ())


def renamed(graph: Graph, names: dict[str, str]) -> Graph:
    """The same graph under other names."""
    nodes = tuple(
        replace(n, name=names.get(n.name, n.name), inputs=tuple(names.get(i, i) for i in n.inputs))
        for n in graph.nodes
    )
    weights = {names.get(k, k): v for k, v in graph.weights.items()}
    return Graph(nodes, tuple(names.get(o, o) for o in graph.outputs), weights)
