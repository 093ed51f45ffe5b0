# SPDX-License-Identifier: Apache-2.0
"""Samples moved about, so that a network learns not to mind."""

import torch


def shifted(x: torch.Tensor, most: int) -> torch.Tensor:
    """x (N, C, ...), each sample moved by up to `most` along every axis behind C; its edge values
    fill what comes in.
    """
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        moves = torch.randint(-most, most + 1, (len(x), 1))
        index = (torch.arange(size) + moves).clamp(0, size - 1)
        shape = [len(x) if i == 0 else size if i == axis else 1 for i in range(x.ndim)]
        x = torch.take_along_dim(x, index.view(shape), axis)
    return x
