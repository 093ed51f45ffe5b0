# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits: the demo, and a pattern for a network of your own.

The data are real scans, 8x8 pixels of 17 grey levels (scikit-learn's `digits`, from the UCI test
set of Alpaydin and Kaynak, 1998): 1437 to train, 360 to test, by a fixed split.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

TEST_IMAGES = 360
EPOCHS = 40
BATCH = 64
EXAMPLE = (torch.zeros(1, 1, 8, 8),)


class Digits(NamedTuple):
    """Images (N, 1, 8, 8) from 0 to 1, labels (N,)."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def data() -> Digits:
    """The whole set, split once and for all."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(2026).permutation(len(labels))
    images = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = labels[order].astype(np.int64)
    train = len(labels) - TEST_IMAGES
    return Digits(images[:train], labels[:train], images[train:], labels[train:])


class Network(nn.Module):
    """A small residual network with a depthwise-separable branch: 30,080 MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.widen = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.branch = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16),
        )  # fmt: skip
        self.pool = nn.AvgPool2d(2)
        self.classify = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 8, 8) to scores (N, 10)."""
        x = self.widen(self.stem(x))
        x = torch.relu(x + self.branch(x))
        scores: torch.Tensor = self.classify(self.pool(x))
        return scores


def train(images: np.ndarray, labels: np.ndarray, seed: int = 0) -> Network:
    """A network trained with Adam for a fixed number of epochs; the last epoch is the result."""
    torch.manual_seed(seed)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(x)), BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()
    return network.eval()


def factory() -> tuple[Network, tuple[torch.Tensor]]:
    """What `microai deploy microai/examples/digits.py:factory` calls."""
    digits = data()
    return train(digits.images, digits.labels), EXAMPLE
