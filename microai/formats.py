# SPDX-License-Identifier: Apache-2.0
"""Storage formats as experiment files name them: a scheme and how to get there."""

from collections.abc import Mapping
from dataclasses import dataclass

from microai.quantize.scheme import RANGES, SCHEMES, Scheme, named

OPTIONS = ("qat", "floor", "channel", "percentile", "mse", "moving")


@dataclass(frozen=True)
class Format:
    """`levels`: schemes by name; of several, each layer gets one (`microai.mixture`). `qat`:
    trained in its integers, rather than quantized after training.
    """

    levels: Mapping[str, Scheme]
    qat: bool

    @classmethod
    def read(cls, text: str) -> "Format":
        """SCHEME, or several joined by /, then any of qat, floor (rounding), channel (a scale for
        each), and one way to choose ranges, joined by +; ValueError with what there is.
        """
        first, *options = text.split("+")
        names = first.split("/")
        if set(names) - set(SCHEMES) or set(options) - set(OPTIONS):
            raise ValueError(
                f"no format {text!r}; a scheme of {', '.join(SCHEMES)}, or several joined by /, "
                f"then any of {', '.join('+' + option for option in OPTIONS)}"
            )
        ways = [option for option in options if option in RANGES]
        twice = [len(set(words)) < len(words) for words in (names, options)]
        if len(ways) > 1 or any(twice):
            raise ValueError(f"{text!r} says a thing twice")
        if "f32" in names and (options or names[1:]):
            raise ValueError(f"{text!r}: f32 stands alone")
        if "channel" in options and all(SCHEMES[name].per_channel for name in names):
            raise ValueError(f"{text!r}: that has a scale for each channel anyway")
        rounding, ranges = "floor" if "floor" in options else "nearest", (*ways, "minmax")[0]
        channel = "channel" in options
        levels = {name: named(name, rounding, ranges, per_channel=channel) for name in names}
        return cls(levels, "qat" in options)
