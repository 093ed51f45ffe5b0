# SPDX-License-Identifier: Apache-2.0
"""Graphs of one layer in storage that a test writes out itself."""

import numpy as np

from microai.graph import Graph, Node, verify
from microai.op import Const, Input, Op
from microai.types import Array, Quant, TensorType


def layer(op: Op, x: TensorType, w: Array, b: Array, step: float) -> Graph:
    """x through a layer of integer weights at scale 1; the output stored as x is, at `step`."""
    x_quant = x.stored
    w_quant = Quant(str(w.dtype), (1.0,))
    b_quant = Quant("int32", x_quant.scale)
    consts = {"w": TensorType(w.shape, w_quant), "b": TensorType(b.shape, b_quant)}
    nodes = [Node("x", Input(x.shape), (), x)]
    nodes += [Node(n, Const(k.shape), (), k, place="flash") for n, k in consts.items()]
    shape = op.infer(x, *consts.values()).shape
    nodes.append(Node("y", op, ("x", "w", "b"), TensorType(shape, Quant(x.dtype, (step,)))))
    graph = Graph(tuple(nodes), ("y",), {"w": w, "b": b.astype(np.int32)})
    verify(graph)
    return graph


def between(op: Op, *inputs: Quant, out: Quant, shape: tuple[int, ...] = (1, 8, 8)) -> Graph:
    """One op without weights, in storage written out."""
    nodes = [Node(f"x{i}", Input(shape), (), TensorType(shape, q)) for i, q in enumerate(inputs)]
    kind = TensorType(op.infer(*(n.type for n in nodes)).shape, out)
    graph = Graph((*nodes, Node("y", op, tuple(n.name for n in nodes), kind)), ("y",), {})
    verify(graph)
    return graph
