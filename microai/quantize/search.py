# SPDX-License-Identifier: Apache-2.0
"""Ranges of the least squared error: values at their ends saturate so that all others are finer.

Every candidate is tried with the storage, rounding and saturation that will be deployed.
Qm.n's candidates are n to n + 3, the others' 1 to 1/5 of the observed range.
"""

import numpy as np

from microai.fixedpoint import dequantize
from microai.fixedpoint import quantize as to_ints
from microai.quantize.scheme import Scheme
from microai.quantize.storage import activation, limits_of, symmetric
from microai.types import Floats, QTensor, Quant

POWERS = (1.0, 0.5, 0.25, 0.125)
SHARES = tuple(share / 60 for share in range(60, 11, -1))
BOTH, LOW, HIGH = (True, True), (True, False), (False, True)


def best_range(
    values: Floats, counts: Floats, limits: tuple[float, float], scheme: Scheme
) -> tuple[float, float]:
    """`limits` shrunk to where values (V,) that occur `counts` times err least; the widest of
    equals. Affine ranges first shrink as a whole, then at each end.
    """
    for ends in (BOTH, LOW, HIGH) if scheme.kind == "affine" else (BOTH,):
        tried = [_shrunk(limits, share, ends) for share in _shares(scheme)]
        errors = [_error(values, counts, activation(*each, scheme), scheme) for each in tried]
        limits = tried[int(np.argmin(errors))]
    return limits


def best_largest(w: Floats, axis: int, largest: Floats, scheme: Scheme) -> Floats:
    """`largest`, one magnitude or one for each index of `axis`, shrunk to where w errs least."""
    shares = np.asarray(_shares(scheme))
    errors = [_weight_errors(w, axis, largest * share, scheme) for share in shares]
    best: Floats = largest * shares[np.argmin(errors, axis=0)]
    return best


def _shares(scheme: Scheme) -> tuple[float, ...]:
    return POWERS if scheme.kind == "qmn" else SHARES


def _shrunk(
    limits: tuple[float, float], share: float, ends: tuple[bool, bool]
) -> tuple[float, float]:
    low, high = (end * share if moves else end for end, moves in zip(limits, ends, strict=True))
    return low, high


def _error(values: Floats, counts: Floats, quant: Quant | None, scheme: Scheme) -> float:
    """The sum of squared distances between values and what is stored."""
    assert quant
    ints = np.clip(to_ints(values, quant), *limits_of(quant.dtype, scheme))
    return float(counts @ (dequantize(QTensor(ints, quant)) - values) ** 2)


def _weight_errors(w: Floats, axis: int, largest: Floats, scheme: Scheme) -> Floats:
    """That sum for each scale; -low is not used."""
    assert scheme.weights
    quant = symmetric(largest, scheme.weights, axis, scheme)
    high = limits_of(quant.dtype, scheme)[1]
    ints = np.clip(to_ints(w, quant), -high, high)
    squares = (dequantize(QTensor(ints, quant)) - w) ** 2
    others = tuple(i for i in range(w.ndim) if i != axis)
    errors: Floats = squares.sum(axis=others)
    return errors if len(largest) > 1 else errors.sum(keepdims=True)
