# SPDX-License-Identifier: Apache-2.0
"""Small integer networks as other tools may store them: filters of zeros, biases at their limit,
scales from 1 to 1e-4, any zero points.
"""

import numpy as np

from microai.graph import Graph, Node, verify
from microai.interpret import interpret
from microai.op import Const, Input, Op
from microai.ops import (
    Activation,
    Add,
    AvgPool,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Lookup,
    MaxPool,
    Mul,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Resize,
    Slice,
    Sub,
)
from microai.types import Array, Arrays, Ints, Quant, TensorType

CLAMPS = ((None, None), (0.0, None), (0.0, 0.4), (-0.2, None))


class IntSketch:
    """Builds an integer graph step by step; what is not given is drawn."""

    def __init__(self, seed: int, *shape: int) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[str, Array] = {}
        self.random = np.random.default_rng(seed)
        self._add("x", Input(shape), (), self.storage())

    def storage(self) -> Quant:
        """Some int8 storage."""
        zero = int(self.random.choice([-128, -128, -7, 0, 31, 127]))
        return Quant("int8", (float(self.random.uniform(0.005, 0.02)),), zero)

    def type(self, name: str) -> TensorType:
        """Of a tensor."""
        return next(node.type for node in self.nodes if node.name == name)

    def op(self, op: Op, *inputs: str, out: Quant | None = None) -> str:
        """A step, in the storage that it insists on or a drawn one; the same name again."""
        types = [self.type(name) for name in inputs]
        out = out or self.storage()
        out = op.storage(*(kind.stored for kind in types), out).out or out
        return self._add(f"t{len(self.nodes)}", op, inputs, out)

    def linear(self, op: Op, x: str, w: Ints, b: Ints, out: Quant | None = None,
               scale: tuple[float, ...] = ()) -> str:  # fmt: skip
        """A layer with these weights."""
        axis = op.CHANNEL_AXIS[1] % w.ndim
        scale = scale or tuple(10 ** self.random.uniform(-4, 0, len(b)) * 0.005)
        step = self.type(x).stored.scale[0]
        weight = self._const(w.astype(np.int8), Quant("int8", scale, axis=axis))
        bias = self._const(b.astype(np.int32), Quant("int32", tuple(step * s for s in scale)))
        return self.op(op, x, weight, bias, out=out)

    def drawn(self, op: Op, x: str, *shape: int) -> str:
        """A layer with drawn weights."""
        axis = op.CHANNEL_AXIS[1] % len(shape)
        w = np.moveaxis(self.random.integers(-127, 128, shape), axis, 0)
        b = self.random.integers(-9000, 9000, len(w))
        w[self.random.random(len(w)) < 0.4] = 0
        if axis == 0:
            w[..., self.random.random(shape[-1]) < 0.2] = 0
        wild = self.random.random(len(w)) < 0.2
        b[wild] = self.random.choice([-(1 << 30), 1 << 30, (1 << 31) - 9], int(wild.sum()))
        return self.linear(op, x, np.moveaxis(w, 0, axis), b)

    def graph(self, *outputs: str) -> Graph:
        """What was sketched, verified."""
        graph = Graph(tuple(self.nodes), outputs, self.weights)
        verify(graph)
        return graph

    def _const(self, array: Array, quant: Quant) -> str:
        name = f"c{len(self.nodes)}"
        self.weights[name] = array
        return self._add(name, Const(array.shape), (), quant, "flash")

    def _add(self, name, op, inputs, quant, place="arena") -> str:
        shape = op.infer(*(self.type(i) for i in inputs)).shape
        self.nodes.append(Node(name, op, inputs, TensorType(shape, quant), place))
        return name


def network(seed: int, steps: list[str]) -> Graph:
    """Layers of the kinds named, on a small image, and a dense layer behind them."""
    s = IntSketch(seed, 1, 4, 5, 3)
    x = "x"
    for step in steps:
        x = STEPS[step](s, x)
    flat = s.op(Reshape((1, s.type(x).size)), x)
    return s.graph(s.drawn(Dense(), flat, 3, s.type(x).size))


def _clamp(s: IntSketch):
    return CLAMPS[s.random.integers(len(CLAMPS))]


def _conv(s: IntSketch, x: str) -> str:
    size = int(s.random.choice([1, 1, 3]))
    pads = (size // 2,) * 4 if s.random.random() < 0.8 else (1, 1, 1, 1)
    op = Conv(pads=pads, clamp=_clamp(s))
    return s.drawn(op, x, int(s.random.integers(1, 11)), size, size, s.type(x).shape[-1])


def _grouped(s: IntSketch, x: str) -> str:
    channels = s.type(x).shape[-1]
    return s.drawn(Conv(groups=channels, clamp=_clamp(s)), x, 2 * channels, 1, 1, 1)


def _depthwise(s: IntSketch, x: str) -> str:
    op = DepthwiseConv(pads=(1, 1, 1, 1), clamp=_clamp(s))
    return s.drawn(op, x, 3, 3, s.type(x).shape[-1])


def _transposed(s: IntSketch, x: str) -> str:
    op = ConvTranspose(pads=(0, 1, 0, 1), clamp=_clamp(s))
    return s.drawn(op, x, int(s.random.integers(1, 7)), 2, 2, s.type(x).shape[-1])


def _twice(s: IntSketch, x: str) -> str:
    """Two layers of one input, put together."""
    count = int(s.random.integers(1, 9))
    parts = [s.drawn(Conv(clamp=_clamp(s)), x, count, 1, 1, s.type(x).shape[-1]) for _ in range(2)]
    joined = s.random.choice(np.array([Add(), Sub(), Mul(), Concat(3), Concat(1)], dtype=object))
    size = s.type(x).shape[1:3]
    return s.op(Resize(size), s.op(joined, *parts))


def _gated(s: IntSketch, x: str) -> str:
    """A squeeze and its excitation."""
    channels, image = s.type(x).shape[-1], s.type(x).shape[1:3]
    mean = s.op(AvgPool(image), x)
    gate = s.op(Activation("sigmoid"), s.drawn(Conv(), mean, channels, 1, 1, channels))
    return s.op(Mul(), x, gate)


def _table(s: IntSketch, x: str) -> str:
    table = tuple(s.random.integers(-128, 128, 256).tolist())
    out = s.storage()
    return s.op(Lookup(table, s.type(x).stored, out), x, out=out)


def _part(s: IntSketch, x: str) -> str:
    channels = s.type(x).shape[-1]
    start = int(s.random.integers(channels))
    return s.op(Slice(3, start, channels), x)


STEPS = {
    "conv": _conv,
    "grouped": _grouped,
    "depthwise": _depthwise,
    "transposed": _transposed,
    "twice": _twice,
    "gated": _gated,
    "table": _table,
    "part": _part,
    "relu": lambda s, x: s.op(Relu(0.5, 0.0), x),
    "max": lambda s, x: s.op(MaxPool((2, 2), (), (1, 0, 1, 0)), x),
    "mean": lambda s, x: s.op(AvgPool((2, 2), (), (1, 0, 1, 0), count_pads=False), x),
    "margin": lambda s, x: s.op(Pad((1, 0, 0, 1, 0, 0)), x),
    "framed": lambda s, x: s.op(Pad((0, 0, 0, 0, 1, 2), 0.1), x),
    "stored": lambda s, x: s.op(Quantize(), x),
    "tanh": lambda s, x: s.op(Activation("tanh"), x),
}


def stored_inputs(graph: Graph, count: int = 12, seed: int = 1) -> dict[str, Array]:
    """Integers over the whole range, and both of its ends everywhere."""
    random = np.random.default_rng(seed)
    drawn = {}
    for node in graph.inputs:
        low, high = node.type.stored.low, node.type.stored.high
        array = random.integers(low, high + 1, (count, *node.type.shape[1:]))
        array[0], array[1] = low, high
        drawn[node.name] = array.astype(node.type.dtype)
    return drawn


def ran(graph: Graph) -> Arrays:
    return interpret(graph, stored_inputs(graph))


def assert_same(before: Graph, after: Graph) -> None:
    """Equal outputs; every tensor that stayed is the old one with some channels gone."""
    expected, found = ran(before), ran(after)
    for name in before.outputs:
        np.testing.assert_array_equal(found[name], expected[name])
    for node in after.steps:
        old, new = (np.moveaxis(t[node.name], -1, 0) for t in (expected, found))
        if new.size // len(new) == old.size // len(old):
            rest = iter(old)
            assert all(any(np.array_equal(c, o) for o in rest) for c in new), node.name


def kept(graph: Graph) -> list[int]:
    """Channels of each step's output."""
    return [node.type.shape[-1] for node in graph.steps]
