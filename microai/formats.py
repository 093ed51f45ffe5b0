# SPDX-License-Identifier: Apache-2.0
"""Storage formats as experiment files name them: a scheme and how to get there."""

from dataclasses import dataclass

from microai.quantize.scheme import SCHEMES, Scheme, named

OPTIONS = ("qat", "floor", "channel", "percentile", "mse", "moving")


@dataclass(frozen=True)
class Format:
    """`qat`: trained in its integers, rather than quantized after training."""

    scheme: Scheme
    qat: bool

    @classmethod
    def read(cls, text: str) -> "Format":
        """SCHEME, then any of qat, floor (rounding), channel (a scale for each), and one way to
        choose ranges, joined by +; ValueError with what there is.
        """
        name, *options = text.split("+")
        unknown = [option for option in options if option not in OPTIONS]
        if name not in SCHEMES or unknown:
            raise ValueError(
                f"no format {text!r}; a scheme of {', '.join(SCHEMES)}, "
                f"then any of {', '.join('+' + option for option in OPTIONS)}"
            )
        ways = [option for option in options if option in ("percentile", "mse", "moving")]
        if len(ways) > 1 or len(set(options)) < len(options):
            raise ValueError(f"{text!r} says a thing twice")
        rounding = "floor" if "floor" in options else "nearest"
        scheme = named(name, rounding, (*ways, "minmax")[0], per_channel="channel" in options)
        if scheme.activations is None and options:
            raise ValueError(f"{text!r}: f32 has no options")
        return cls(scheme, "qat" in options)
