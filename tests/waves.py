# SPDX-License-Identifier: Apache-2.0
"""A small data set that can be learnt, and an experiment on it."""

from pathlib import Path

import numpy as np

TINY = """
title = "waves"
network = {{ kind = "resnetv1_6" }}
data = {{ train = "train.npz", test = "test.npz" }}
training = {{ epochs = {epochs}, batch = 16, learning_rate = {rate}, momentum = 0.9, noise = 0.05 }}
tuning = {{ epochs = {tuning}, batch = 16, learning_rate = 0.005, momentum = 0.9 }}
deploy = {{ formats = ["int8", "qmn8+qat"], samples = 12, calibration = 40 }}
runs = [{{ filters = {filters}, seeds = 2, formats = ["qmn16"] }}]
"""


def waves(path: Path, count: int, seed: int) -> None:
    """Three classes of noisy waves, (N, 16, 2) in steps of 1/1000, each of one of 8 people."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % 3
    phase = random.uniform(0, 6, (count, 1, 1))
    time = np.arange(16)[None, :, None] * (y[:, None, None] + 1) / 4
    x = np.sin(time + phase + np.arange(2)) + random.normal(0, 0.05, (count, 16, 2))
    np.savez(path, X=(x * 1000).astype(np.int16), y=y, scale=np.float32([0.001, 0.001]),
             person=random.integers(0, 8, count))  # fmt: skip


def tiny(filters: int = 4, rate: float = 0.05, epochs: int = 12, tuning: int = 2) -> str:
    """The experiment's text."""
    return TINY.format(filters=filters, rate=rate, epochs=epochs, tuning=tuning)


def study_in(folder: Path) -> Path:
    """The data and tiny.toml in a folder."""
    waves(folder / "train.npz", 240, 1)
    waves(folder / "test.npz", 60, 2)
    (folder / "tiny.toml").write_text(tiny())
    return folder
