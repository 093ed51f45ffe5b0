# SPDX-License-Identifier: Apache-2.0
"""The reference runs any number of samples, in pieces that fit in memory."""

import numpy as np
import pytest

from microai.interpret import BATCH, interpret, interpret_only
from microai.samples import stored
from tests.graphs import quantized, samples


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_pieces_make_the_whole(count: int) -> None:
    """In order, none lost, and only what was asked for."""
    graph = quantized("residual")
    inputs = stored(graph, samples(graph, count))
    found = interpret_only(graph, inputs, ["conv", "softmax"])
    assert list(found) == ["conv", "softmax"]
    whole = interpret(graph, inputs)
    for name, array in found.items():
        np.testing.assert_array_equal(array, whole[name])
