# SPDX-License-Identifier: Apache-2.0
"""ResNetv1-6, the network of the MicroAI paper (Novac et al., 2021), for signals.

No batch norm, biases everywhere: 13 F^2 + 39 F + 6 parameters for 9 channels and 6 classes.
"""

import torch
from torch import nn
from torch.nn import functional


class ResNetv1_6(nn.Module):  # noqa: N801  its name in the paper
    """Signals (N, channels, length) to scores (N, classes), with F filters everywhere."""

    def __init__(self, channels: int, classes: int, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, filters, 3, padding=1)
        self.halved1 = nn.Conv1d(filters, filters, 3, padding=1)
        self.halved2 = nn.Conv1d(filters, filters, 3, padding=1)
        self.shortcut = nn.Conv1d(filters, filters, 1)
        self.plain1 = nn.Conv1d(filters, filters, 3, padding=1)
        self.plain2 = nn.Conv1d(filters, filters, 3, padding=1)
        self.classify = nn.Linear(filters, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One block that halves the length, one that keeps it, a global maximum."""
        x = self.first(x).relu()
        halved = self.halved2(functional.max_pool1d(self.halved1(x), 2).relu())
        x = (halved + functional.max_pool1d(self.shortcut(x), 2)).relu()
        x = (self.plain2(self.plain1(x).relu()) + x).relu()
        scores: torch.Tensor = self.classify(x.amax(2))
        return scores
