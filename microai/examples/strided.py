# SPDX-License-Identifier: Apache-2.0
"""A small image network without pools: three convolutions 5x5 of stride 2, as CMSIS-NN's CIFAR-10
example has its widths (Lai, Suda, Chandra 2018, arXiv 1801.06601).
"""

import torch
from torch import nn


def strided() -> nn.Module:
    """Inputs (N, 3, 32, 32) to scores (N, 10); 32, 32 and 64 filters."""
    layers: list[nn.Module] = []
    for inputs, filters in ((3, 32), (32, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, filters, 5, stride=2, padding=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, 10))


EXAMPLE = (torch.zeros(1, 3, 32, 32),)
