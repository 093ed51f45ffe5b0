# SPDX-License-Identifier: Apache-2.0
"""Weights of integer graphs: constants; of 4 bits two in a byte, where kernels read them."""

from dataclasses import replace

import numpy as np
import pytest

from microai.backend import nibbles
from microai.errors import UnsupportedError
from microai.graph import Graph, replace_node, verify
from microai.op import Const, Input
from microai.ops import Conv
from microai.pipeline import compile_graph
from microai.types import Quant, TensorType
from tests.graphs import quantized
from tests.stored import layer


def test_two_in_a_byte() -> None:
    """The first in the lower half; an odd one alone."""
    packed = nibbles(np.array([[1, -1, 7], [-8, 0, 5], [3, -7, 2]], np.int8))
    assert packed.dtype == np.uint8
    assert packed.tolist() == [0xF1, 0x87, 0x50, 0x93, 0x02]


def test_flash_holds_half() -> None:
    """Of the weights; biases are as they were."""
    wide, narrow = (compile_graph(quantized("residual", s)) for s in ("int8", "int8x4"))
    biases = sum(a.nbytes for a in narrow.graph.weights.values() if a.dtype == np.int32)
    eight = sum(a.nbytes for a in wide.graph.weights.values() if a.dtype == np.int8)
    odd = sum(a.size % 2 for a in narrow.graph.weights.values() if a.dtype == np.int8)
    assert narrow.weights_bytes == biases + (eight + odd) // 2


def test_the_lowest_is_not_used() -> None:
    """-7 to 7, as in all symmetric storage."""
    graph = quantized("residual", "int8x4")
    weights = [graph.weights[n.name] for n in graph.consts if n.type.dtype == "int4"]
    assert weights
    assert min(w.min() for w in weights) == -7
    assert max(w.max() for w in weights) == 7


def four(w: np.ndarray) -> Graph:
    """A convolution whose weights are called int4."""
    x = TensorType((1, 5, 2), Quant("int8", (1.0,)))
    graph = layer(Conv(), x, w, np.zeros(1), 2.0**8)
    node = graph["w"]
    return replace_node(
        graph, replace(node, type=TensorType(node.type.shape, Quant("int4", (1.0,))))
    )


def test_what_four_bits_do_not_hold() -> None:
    """A weight beyond -8 to 7, and an activation."""
    verify(four(np.full((1, 3, 2), -8, np.int8)))
    with pytest.raises(UnsupportedError, match="weight 'w' holds 0 to 8, over int4"):
        verify(four(np.array([[[0, 8]] * 3], np.int8)))
    graph = four(np.ones((1, 3, 2), np.int8))
    y = graph["y"]
    narrow = replace(y, type=TensorType(y.type.shape, Quant("int4", (1.0,))))
    with pytest.raises(UnsupportedError, match="'y' is int4, which is for weights"):
        verify(replace_node(graph, narrow))


def test_only_weights_are_read_so() -> None:
    """Anything else that reads int4 is refused, conversions too."""
    graph = quantized("shared", "int8x4")
    reader = replace(graph["relu"], inputs=("w",), type=TensorType((6, 6), graph["w"].type.quant))
    with pytest.raises(UnsupportedError, match="'relu' reads 'w', which is int4"):
        verify(replace_node(graph, reader))


def test_weights_are_constants_and_activations_are_none() -> None:
    """What a handmade integer graph may have otherwise is a sentence, not a failure later."""
    graph = layer(Conv(), TensorType((1, 5, 2), Quant("int8", (1.0,))),
                  np.ones((1, 3, 2), np.int8), np.zeros(1), 2.0**8)  # fmt: skip
    fed = replace_node(graph, replace(graph["w"], op=Input((1, 3, 2)), place="arena"))
    bare = replace(fed, weights={"b": graph.weights["b"]})
    with pytest.raises(UnsupportedError, match="'y': 'w' is computed, Conv needs a constant there"):
        verify(bare)
    still = replace_node(graph, replace(graph["x"], op=Const((1, 5, 2)), place="flash"))
    weights = {**graph.weights, "x": np.ones((1, 5, 2), np.int8)}
    with pytest.raises(
        UnsupportedError, match="'y': 'x' is a constant, Conv needs an activation there"
    ):
        verify(replace(still, weights=weights))
