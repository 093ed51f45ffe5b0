# SPDX-License-Identifier: Apache-2.0
"""Mel-frequency cepstral coefficients of a second of speech at 8 kHz: (39, 13).

1. the first 8000 samples, zeros behind them, divided by 32768;
2. 39 frames of 400 samples (50 ms), 200 (25 ms) apart, each times a periodic Hann window;
3. power spectrum |FFT|^2 / 512 of 512 points;
4. 26 triangles over it, equally wide on the mel scale m = 2595 log10(1 + f / 700) from 20 to
   4000 Hz, their sides straight in Hz and 1 high (the scale of HTK);
5. logarithm of each sum + 1e-6;
6. orthonormal DCT-II, coefficients 0 to 12. No normalization.

After Davis and Mermelstein, IEEE Trans. ASSP 28(4), 1980.
"""

import math

import numpy as np

from microai.types import Array, Floats

RATE_HZ = 8000
SAMPLES = 8000
FRAME, STEP, FRAMES = 400, 200, 39
POINTS = 512
LOW_HZ, HIGH_HZ, TRIANGLES = 20.0, 4000.0, 26
COEFFICIENTS = 13
FLOOR = 1e-6


def mfcc(signal: Array) -> Floats:
    """float32 (39, 13) of int16 samples (n,)."""
    second = np.zeros(SAMPLES)
    second[: len(signal)] = signal[:SAMPLES] / 32768
    frames = second[np.arange(FRAMES)[:, None] * STEP + np.arange(FRAME)] * HANN
    power = np.abs(np.fft.rfft(frames, POINTS)) ** 2 / POINTS
    cepstrum: Floats = np.log(power @ FILTERS + FLOOR) @ DCT
    return cepstrum.astype(np.float32)


def _filters() -> Floats:
    """Weight of each frequency (257,) in each triangle (26,)."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, TRIANGLES + 2) / 2595) - 1)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    hz = np.fft.rfftfreq(POINTS, 1 / RATE_HZ)[:, None]
    rising, falling = (hz - left) / (middle - left), (right - hz) / (right - middle)
    weights: Floats = np.maximum(0, np.minimum(rising, falling))
    return weights


def _dct() -> Floats:
    """Orthonormal DCT-II from (26,) to its first 13 coefficients."""
    n, k = np.arange(TRIANGLES)[:, None], np.arange(COEFFICIENTS)
    cosines = np.cos(np.pi * (2 * n + 1) * k / (2 * TRIANGLES))
    scaled: Floats = cosines * np.sqrt(np.where(k == 0, 1, 2) / TRIANGLES)
    return scaled


HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
FILTERS = _filters()
DCT = _dct()
