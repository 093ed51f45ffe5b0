# SPDX-License-Identifier: Apache-2.0
"""Named ways to store a network, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scheme:
    """Integer types of activations and weights; None stays float32."""

    activations: str | None
    weights: str | None


SCHEMES: dict[str, Scheme] = {
    "f32": Scheme(None, None),
    "int8": Scheme("int8", "int8"),
}
