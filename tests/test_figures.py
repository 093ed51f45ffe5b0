# SPDX-License-Identifier: Apache-2.0
"""Signal-to-noise, cosine, largest error and saturation of numbers that fit on a line."""

import math

import numpy as np
import pytest

from microai.figures import SNR_LIMIT_DB, Error, error
from microai.types import Quant

STEPS = Quant("int8", (0.5,), 28)  # reaches -78 to 49.5


def test_figures_of_four_numbers() -> None:
    """Signal 1 + 4 + 9 + 16, noise 0.25 + 0.25: 30 to 0.5."""
    found = error(np.array([1.0, -2, 3, 4]), np.array([1.0, -2, 3.5, 3.5]), STEPS)
    assert (found.count, found.signal, found.noise, found.largest) == (4, 30, 0.5, 0.5)
    assert found.snr_db == pytest.approx(10 * math.log10(60))
    assert found.cosine == pytest.approx(29.5 / math.sqrt(30 * 29.5))
    assert found.saturation == 0


def test_figures_add_up_over_batches() -> None:
    """Halves and the whole are one figure."""
    random = np.random.default_rng(0)
    real = random.normal(0, 40, 64)
    stored = np.clip(np.round(real / 0.5) * 0.5, -78, 49.5)
    whole = error(real, stored, STEPS)
    halves = error(real[:20], stored[:20], STEPS) + error(real[20:], stored[20:], STEPS)
    assert whole.saturated > 0
    for name in ("count", "signal", "noise", "found", "product", "largest", "saturated"):
        assert getattr(halves, name) == pytest.approx(getattr(whole, name), rel=1e-12)


@pytest.mark.parametrize(
    ("real", "found", "snr_db", "cosine"),
    [
        ([1, 2], [1, 2], SNR_LIMIT_DB, 1),
        ([0, 0], [0, 0], SNR_LIMIT_DB, 1),
        ([0, 0], [1, 0], -SNR_LIMIT_DB, 0),
        ([3, 4], [0, 0], 0, 0),
        ([1, 0], [-1, 0], 10 * math.log10(1 / 4), -1),
        ([1e-15, 0], [1e15, 0], -SNR_LIMIT_DB, 1),
    ],
)
def test_what_has_no_ratio_has_a_limit(
    real: list[float], found: list[float], snr_db: float, cosine: float
) -> None:
    """Nothing is infinite: JSON could not say it."""
    figures = error(np.array(real, np.float32), np.array(found, np.float32), None)
    assert figures.snr_db == pytest.approx(snr_db)
    assert figures.cosine == pytest.approx(cosine)


def test_saturated_is_what_the_float_value_exceeds() -> None:
    """At an end and beyond it by more than a rounding; a clamp inside the storage is none."""
    real = np.array([49.5, 49.7, 49.8, 90, -78.2, -78.3, -300, 3])
    found = np.array([49.5, 49.5, 49.5, 49.5, -78, -78, -78, 0])
    assert error(real, found, STEPS).saturated == 4
    floor = Quant("int8", (0.5,), 28, rounding="floor")
    assert error(real, found, floor).saturated == 2  # half a step is a rounding there
    assert Error().saturation == 0
