# SPDX-License-Identifier: Apache-2.0
"""ResNetv1-6, the network of the MicroAI paper (Novac et al., 2021), for signals and images.

No batch norm, biases everywhere: for signals of 9 channels and 6 classes 13 F^2 + 39 F + 6
parameters.
"""

import torch
from torch import nn
from torch.nn import functional


class ResNetv1_6(nn.Module):  # noqa: N801  its name in the paper
    """Inputs (N, *size), size (channels, ...), to scores (N, classes); F filters everywhere."""

    def __init__(self, size: tuple[int, ...], classes: int, filters: int) -> None:
        super().__init__()
        conv, self.pool = (
            (nn.Conv1d, functional.max_pool1d) if len(size) == 2
            else (nn.Conv2d, functional.max_pool2d)
        )  # fmt: skip
        self.first = conv(size[0], filters, 3, padding=1)
        self.halved1 = conv(filters, filters, 3, padding=1)
        self.halved2 = conv(filters, filters, 3, padding=1)
        self.shortcut = conv(filters, filters, 1)
        self.plain1 = conv(filters, filters, 3, padding=1)
        self.plain2 = conv(filters, filters, 3, padding=1)
        self.classify = nn.Linear(filters, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One block that halves the size, one that keeps it, a global maximum."""
        x = self.first(x).relu()
        halved = self.halved2(self.pool(self.halved1(x), 2).relu())
        x = (halved + self.pool(self.shortcut(x), 2)).relu()
        x = (self.plain2(self.plain1(x).relu()) + x).relu()
        scores: torch.Tensor = self.classify(x.flatten(2).amax(2))
        return scores
