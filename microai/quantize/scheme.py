# SPDX-License-Identifier: Apache-2.0
"""Named ways to store a network, as data."""

from dataclasses import dataclass, replace
from typing import Literal

from microai.errors import UsageError
from microai.graph import Graph
from microai.op import Const
from microai.types import INT_BITS, Rounding

Ranges = Literal["minmax", "percentile", "mse", "moving"]
"""How calibration data become ranges; see observe.py."""


@dataclass(frozen=True)
class Scheme:
    """How activations and weights become integers; `activations` None stays float32.

    `affine`: any scale and zero point; `symmetric`: any scale, zero 0; `qmn`: a power of two.
    `fraction_bits`: the n of one Qm.n for the whole network. `per_channel`: a scale for each output
    channel of a weight. `ranges`: what of the observed values the storage is made for. `bits`, of
    qmn: steps as coarse as that many bits need. Weights, and what ops with a clamp make, keep to
    those bits; other tensors do as far as they stay within their calibrated range.
    """

    activations: str | None
    weights: str | None
    kind: Literal["affine", "symmetric", "qmn"] = "affine"
    per_channel: bool = False
    fraction_bits: int | None = None
    rounding: Rounding = "nearest"
    ranges: Ranges = "minmax"
    bits: int | None = None

    def __post_init__(self) -> None:
        stored = [INT_BITS[dtype] for dtype in (self.activations, self.weights) if dtype]
        if self.bits is not None and (
            self.kind != "qmn" or not stored or not 2 <= self.bits <= min(stored)
        ):
            raise ValueError(f"bits is {self.bits}, expected 2 to those of the storage, in qmn")

    @property
    def method(self) -> Ranges:
        """`ranges` where there is a choice: one fixed format, or floats, are what they are."""
        chosen = self.activations is not None and self.fraction_bits is None
        return self.ranges if chosen else "minmax"


SCHEMES: dict[str, Scheme] = {
    "f32": Scheme(None, None),
    "int8": Scheme("int8", "int8", per_channel=True),
    "int8x4": Scheme("int8", "int4", per_channel=True),
    "int16x8": Scheme("int16", "int8", "symmetric", per_channel=True),
    "qmn8": Scheme("int8", "int8", "qmn"),
    "qmn6": Scheme("int8", "int8", "qmn", bits=6),
    "qmn16": Scheme("int16", "int16", "qmn"),
    "qmn16-net": Scheme("int16", "int16", "qmn", fraction_bits=9),
}
"""By name. The qmn ones are the MicroAI paper's (Novac et al., 2021); Q7.9 is fraction_bits=9."""

ROUNDINGS: dict[str, Rounding] = {"nearest": "nearest", "floor": "floor"}
RANGES: dict[str, Ranges] = {
    "minmax": "minmax", "percentile": "percentile", "mse": "mse", "moving": "moving",
}  # fmt: skip


def named(
    name: str, rounding: str = "nearest", ranges: str = "minmax", *,
    per_channel: bool = False, option: str = "--scheme",
) -> Scheme:  # fmt: skip
    """A scheme with its options, or UsageError about `option`."""
    if name not in SCHEMES:
        raise UsageError(f"{option} is {name!r}, expected one of {', '.join(SCHEMES)}")
    if rounding not in ROUNDINGS:
        raise UsageError(f"--rounding is {rounding!r}, expected {' or '.join(ROUNDINGS)}")
    if ranges not in RANGES:
        raise UsageError(f"--ranges is {ranges!r}, expected one of {', '.join(RANGES)}")
    scheme = SCHEMES[name]
    return replace(
        scheme, rounding=ROUNDINGS[rounding], ranges=RANGES[ranges],
        per_channel=per_channel or scheme.per_channel,
    )  # fmt: skip


def scheme_of(graph: Graph) -> str:
    """The name of what a graph is stored in; `mixed` where there are several.

    Biases and indices are int32 in all of them. qmn6 is stored as qmn8, and called so.
    """
    nodes = [n for n in graph.nodes if n.type.dtype != "int32"]
    activations = [n.type.quant for n in nodes if not isinstance(n.op, Const)]
    weights = [n.type.quant for n in nodes if isinstance(n.op, Const)]
    quants = [q for q in (*activations, *weights) if q]
    if not quants:
        return "f32"
    dtypes = ({q.dtype if q else "f32" for q in activations}, {q.dtype for q in weights if q})
    name = _name(*dtypes, fixed=all(q.fixed_point for q in quants))
    if name == "qmn16" and {q.scale for q in quants} == {(2.0**-9,)}:
        name = "qmn16-net"
    return name + (" floor" if {q.rounding for q in quants} == {"floor"} else "")


def _name(activations: set[str], weights: set[str], *, fixed: bool) -> str:
    stored = [*sorted(activations), *sorted(weights or activations)]
    if fixed and stored in (["int8", "int8"], ["int16", "int16"]):
        return f"qmn{stored[0].removeprefix('int')}"
    affine = {"int8 int8": "int8", "int8 int4": "int8x4", "int16 int8": "int16x8"}
    return affine.get(" ".join(stored), "mixed")
