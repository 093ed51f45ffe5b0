# SPDX-License-Identifier: Apache-2.0
"""Convolutions of the simd backend: rows staged as int16, two filters and four pixels at a time.

Staging pads with the zero point, which is folded into the bias.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from microai.backend import Kernel, Site
from microai.backends.finish import finish_params, folded_bias, refuse_linear
from microai.op import CParams
from microai.ops import Conv
from microai.ops._window import Window
from microai.types import Array, Ints

STAGED_BYTES = 512  # aimed at: enough columns that weights stream once for many pixels
MOST_UNROLLED = 8


def _window(site: Site) -> Window:
    """The layer's window, with two axes."""
    assert isinstance(site.node.op, Conv)
    return site.node.op.window(site.types[1].shape).flat


def refuse_conv(site: Site) -> str:
    """What the convolution kernels do not do."""
    assert isinstance(site.node.op, Conv)
    if site.node.op.groups > 1:
        return f"groups is {site.node.op.groups}"
    if _window(site).dilation[1] > 1:
        return f"dilation is {_window(site).dilation[1]} along the row"
    return refuse_linear(site)


def _pitch(site: Site) -> int:
    """Elements of a staged pixel: an even number, so that words are aligned, but for one channel,
    which would take twice the work.
    """
    channels = site.types[0].shape[-1]
    return channels if channels == 1 else channels + channels % 2


def _run(site: Site) -> int:
    """Elements of one row of a window, an even number."""
    size = _window(site).kernel[1] * _pitch(site)
    return size + size % 2


@dataclass(frozen=True)
class Cut:
    """How a layer is cut up: at most `unroll` pairs of a row's loop at a time, and `wider` times
    as many columns staged as aimed at.
    """

    unroll: int = MOST_UNROLLED
    wider: int = 1

    def scratch(self, site: Site) -> int:
        """Bytes of the staged rows, and one element that an odd run reads beyond."""
        return _window(site).kernel[0] * self._row(site) * 2 + 2

    def params(self, site: Site) -> CParams:
        """The numbers, and how sums become outputs."""
        pairs = _run(site) // 2
        unroll = max(u for u in range(1, self.unroll + 1) if pairs % u == 0)
        return {
            "columns": self._columns(site), "pitch": _pitch(site), "row": self._row(site),
            "run": _run(site), "unroll": unroll, **finish_params(site),
        }  # fmt: skip

    def _columns(self, site: Site) -> int:
        """Output pixels staged at a time."""
        window = _window(site)
        pixel_bytes = window.stride[1] * _pitch(site) * 2 * window.kernel[0]
        aimed = max(4, STAGED_BYTES * self.wider // pixel_bytes // 4 * 4)
        return min(site.node.type.shape[-2], aimed)

    def _row(self, site: Site) -> int:
        """Elements of a staged row."""
        window = _window(site)
        return ((self._columns(site) - 1) * window.stride[1] + window.kernel[1]) * _pitch(site)


def recut(kernel: Kernel, name: str, cut: Cut) -> Kernel:
    """A convolution cut up otherwise."""
    return replace(kernel, variant=name, scratch=cut.scratch, params=cut.params)


def _taps(site: Site) -> Ints:
    """Weights as (pairs of filters, 2, rows, run), zeros where nothing is."""
    w = site.consts[1].astype(np.int64)
    if w.ndim == 3:
        w = w[:, None]
    out, rows, _, channels = w.shape
    even = np.pad(w, ((0, out % 2), (0, 0), (0, 0), (0, _pitch(site) - channels)))
    flat = even.reshape(out + out % 2, rows, -1)
    flat = np.pad(flat, ((0, 0), (0, 0), (0, _run(site) - flat.shape[2])))
    return flat.reshape(-1, 2, *flat.shape[1:])


def _padded(bias: Ints) -> Ints:
    """An even number of biases."""
    return np.pad(bias, (0, len(bias) % 2))


def pack_words(site: Site) -> Mapping[int, Array]:
    """int16 filters in pairs, word by word in turn."""
    taps = _taps(site)
    words = taps.reshape(*taps.shape[:3], -1, 2).transpose(0, 2, 3, 1, 4)
    return {1: words.astype(np.int16), 2: _padded(folded_bias(site)).astype(np.int32)}


def pack_bytes(site: Site) -> Mapping[int, Array]:
    """int8 filters in pairs, byte by byte in turn."""
    taps = _taps(site).transpose(0, 2, 3, 1)
    return {1: taps.astype(np.int8), 2: _padded(folded_bias(site)).astype(np.int32)}
