# SPDX-License-Identifier: Apache-2.0
"""The reference runs any number of samples, in pieces that fit in memory."""

import numpy as np
import pytest
import torch

from microai.interpret import BATCH, interpret, interpret_only
from microai.ops import Conv
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


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_one_channel_is_convolved_as_it_is(stride: int) -> None:
    """Views of one channel have strides of their own, which torch's convolutions misread."""
    random = np.random.default_rng(stride)
    x = random.normal(size=(8, 7, 3, 1)).astype(np.float32)
    w = random.normal(size=(4, 2, 3, 1)).astype(np.float32)
    op = Conv((1, stride))
    found = op.run_float(*map(torch.from_numpy, (x, w, np.zeros(4, np.float32)))).numpy()
    views = np.lib.stride_tricks.sliding_window_view(x[..., 0], (2, 3), (1, 2))[:, :, ::stride]
    np.testing.assert_allclose(found, np.einsum("nhwij,oij->nhwo", views, w[..., 0]), atol=1e-5)
