# SPDX-License-Identifier: Apache-2.0
"""What the importers of ATen operators share: their arguments, checked, and reshapes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from microai.frontends.builder import (
    Builder,
    RefusedError,
    Shape,
    Value,
    canonical_order,
    deployed_shape,
)
from microai.ops import Reshape
from microai.types import Array

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer, with its name in the module."""

    name: str
    array: Array


def image(a: Arguments, key: str) -> Value:
    """An argument that must be a feature map lying as deployed ones do."""
    value: Value = a[key]
    if len(value.shape) not in (3, 4):
        raise RefusedError(
            f"its input has shape {value.shape}", "a signal (N, C, L) or an image (N, C, H, W)"
        )
    if not value.canonical:
        raise RefusedError("its input is a flattened feature map under another shape")
    return value


def weight(a: Arguments, key: str) -> Weight:
    """An argument that must be constant."""
    found = a[key]
    if not isinstance(found, Weight):
        raise RefusedError(f"its {key} is computed at run time", "a parameter or buffer")
    return found


def bias(b: Builder, a: Arguments, beside: Weight, channels: int) -> str:
    """The bias's node; zeros where there is none."""
    if a.get("bias") is None:
        stem = beside.name.removesuffix("weight")
        return b.const(f"{stem}bias", np.zeros(channels, np.float32))
    given = weight(a, "bias")
    return b.const(given.name, given.array)


def reshape(b: Builder, a: Arguments, shape: Shape) -> Value:
    """flatten, view, reshape, squeeze, unsqueeze: the elements stay where they are."""
    x = a["self"]
    if shape[:1] != (1,):
        raise RefusedError(f"it makes {shape}", "a shape that keeps the batch axis")
    plain = np.array_equal(x.order, canonical_order(shape))
    if not plain and len(shape) > 2:
        raise RefusedError(f"{x.shape} to {shape} moves elements", "keep channels and image apart")
    return b.op(Reshape(deployed_shape(shape)), (x.name,), shape, x.order)
