# SPDX-License-Identifier: Apache-2.0
"""What a tensor is: its shape and, when it holds integers, what they mean.

real = scale * (q - zero). Qm.n is the case scale = 2**-n, zero = 0.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
"""A tensor in its stored dtype."""
Arrays = dict[str, Array]
"""Tensors by name."""
Rounding = Literal["nearest", "floor"]
"""How real numbers become integers: half up, or down."""

INT_BITS = {"int4": 4, "int8": 8, "int16": 16, "int32": 32}
"""int4 is for weights: arrays hold one in an int8, kernels pack two in a byte."""


@dataclass(frozen=True)
class Quant:
    """Integer storage. `scale` has one value, or one for each index of `axis`.

    `rounding` is how numbers are brought into it.
    """

    dtype: str
    scale: tuple[float, ...]
    zero: int = 0
    axis: int = 0
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        if self.dtype not in INT_BITS:
            raise ValueError(f"dtype is {self.dtype!r}, expected one of {', '.join(INT_BITS)}")
        if not self.scale or not all(math.isfinite(s) and s > 0 for s in self.scale):
            raise ValueError(f"scale is {self.scale}, expected positive finite numbers")
        if not self.low <= self.zero <= self.high:
            raise ValueError(f"zero is {self.zero}, expected {self.low} to {self.high}")

    @property
    def fixed_point(self) -> bool:
        """Whether this is Qm.n: every scale a power of two, zero 0."""
        return self.zero == 0 and all(math.frexp(s)[0] == 0.5 for s in self.scale)

    @property
    def low(self) -> int:
        """Smallest storable integer."""
        return -(1 << (INT_BITS[self.dtype] - 1))

    @property
    def high(self) -> int:
        """Largest storable integer."""
        return (1 << (INT_BITS[self.dtype] - 1)) - 1

    @property
    def reach(self) -> int:
        """Bound of |q| + |zero|, and so of |q - zero|, in whatever order a kernel adds them."""
        return -self.low + abs(self.zero)


@dataclass(frozen=True)
class TensorType:
    """A shape (NHWC, batch 1), and a `Quant`, or None for float32."""

    shape: tuple[int, ...]
    quant: Quant | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> str:
        """float32 or the integer type."""
        return self.quant.dtype if self.quant else "float32"

    @property
    def element(self) -> str:
        """What one element of its array is."""
        return "int8" if self.dtype == "int4" else self.dtype

    @property
    def bytes(self) -> int:
        """Bytes of its array."""
        return self.size * int(np.dtype(self.element).itemsize)

    @property
    def stored(self) -> Quant:
        """The integer storage; asking a float tensor is a bug."""
        assert self.quant is not None, "float32 tensor has no integer storage"
        return self.quant


@dataclass(frozen=True)
class QTensor:
    """Integers (any batch size) and what they mean."""

    ints: Ints
    quant: Quant

    @property
    def centered(self) -> Ints:
        """q - zero."""
        return self.ints - self.quant.zero
