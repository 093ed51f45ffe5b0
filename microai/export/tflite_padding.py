# SPDX-License-Identifier: Apache-2.0
"""Where a window meets the border: TFLite pads by SAME and VALID, anything else is an operator."""

from dataclasses import replace

import numpy as np

from microai.export.tflite_draft import Draft, image
from microai.graph import Node
from microai.ops._window import Sizes, Window

SAME, VALID = 0, 1  # the schema's Padding
Sides = list[tuple[int, int]]
"""Padding before and after each axis."""


def padding_of(window: Window, before: Sizes, after: Sizes) -> int | None:
    """SAME or VALID where one of them does the same to an image (h, w); None where neither."""
    sides = touched(window, before, after)
    if not any(map(any, sides)):
        return VALID
    strides = zip(before, window.stride, after, strict=True)
    whole = all(-(-size // stride) == made for size, stride, made in strides)
    halves = [(sum(side) // 2, sum(side) - sum(side) // 2) for side in sides]
    return SAME if whole and sides == halves else None


def touched(window: Window, before: Sizes, after: Sizes) -> Sides:
    """The padding that windows touch when they make (h, w) `after` of `before`."""
    sides = []
    for axis, (size, made) in enumerate(zip(before, after, strict=True)):
        first = window.before[axis]
        end = (made - 1) * window.stride[axis] + window.reach[axis] - first
        sides.append((first, max(end - size, 0)))
    return sides


def placed(draft: Draft, node: Node, window: Window, fill: float | None = None) -> tuple[int, int]:
    """The image that windows slide over, and SAME or VALID; `fill` None is real 0."""
    x = draft.value(node.inputs[0])
    sizes = (draft.types[x].shape[1:3], image(node).shape[1:3])
    padding = padding_of(window, *sizes)
    if padding is not None:
        return x, padding
    return bordered(draft, x, touched(window, *sizes), fill), VALID


def bordered(draft: Draft, x: int, sides: Sides, fill: float | None = None) -> int:
    """With an explicit border around height and width, where there is any."""
    quant = draft.types[x].quant
    zero = quant.zero if quant else 0
    if not any(map(any, sides)):
        return x
    return padded(draft, x, [(0, 0), *sides, (0, 0)], zero if fill is None else fill)


def padded(draft: Draft, x: int, sides: Sides, fill: float) -> int:
    """A PAD of every axis; `fill` is as stored."""
    kind = draft.types[x]
    shape = tuple(size + sum(side) for size, side in zip(kind.shape, sides, strict=True))
    paddings = draft.numbers([list(side) for side in sides])
    if fill == (kind.quant.zero if kind.quant else 0):
        return draft.emit("PAD", [x, paddings], replace(kind, shape=shape))
    value = draft.constant(f"{draft.scope}/fill", np.asarray([fill], kind.dtype), kind.quant)
    return draft.emit("PADV2", [x, paddings, value], replace(kind, shape=shape))


def strides(window: Window) -> dict[str, int]:
    """As options."""
    return {"StrideH": window.stride[0], "StrideW": window.stride[1]}
