# SPDX-License-Identifier: Apache-2.0
"""A network of which one layer cannot be stored well: its largest weights multiply zeros."""

import numpy as np

from microai.graph import Graph
from microai.ops import Conv, Dense, Relu, Reshape
from tests.graphs import Sketch

GUILTY = "second"


def broken(outlier: float = 60.0) -> Graph:
    """Three convolutions and a dense layer; the second one's outliers take all of int8's steps, and
    in float change nothing, since the channel that they read is 0.
    """
    s = Sketch(11)
    x = s.input("x", 1, 8, 4)
    first = s.op("first", Conv(pads=(1, 1)), x, s.const("w1", 6, 3, 4), s.const("b1", 6))
    relu = s.op("relu", Relu(), first)
    second = s.op("second", Conv(pads=(1, 1)), relu, s.const("w2", 6, 3, 6), s.const("b2", 6))
    third = s.op("third", Conv(pads=(1, 1)), second, s.const("w3", 6, 3, 6), s.const("b3", 6))
    flat = s.op("flat", Reshape((1, 48)), third)
    s.weights["w1"][0], s.weights["b1"][0] = 0, 0
    s.weights["w2"][:, :, 0] = outlier
    return s.graph(s.op("last", Dense(), flat, s.const("w4", 3, 48), s.const("b4", 3)))


def labels_by(graph: Graph, reals: dict[str, np.ndarray], output: str = "last") -> np.ndarray:
    """What the float network says, as labels."""
    from microai.interpret import interpret

    return interpret(graph, reals)[output].argmax(axis=1)
