# SPDX-License-Identifier: Apache-2.0
"""Functions of one variable and softmax as operators of a .tflite file.

TFLite stores what LOGISTIC, TANH and SOFTMAX make in one way only; where the graph stores it
otherwise, a QUANTIZE follows.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from microai.errors import UnsupportedError
from microai.export.tflite_draft import Draft, image, same
from microai.graph import Node
from microai.ops import Activation
from microai.ops.softmax import PROBABILITY
from microai.types import Quant, TensorType

FIXED = {
    "LOGISTIC": PROBABILITY,
    "SOFTMAX": PROBABILITY,
    "TANH": {"int8": Quant("int8", (1 / 128,)), "int16": Quant("int16", (1 / 32768,))},
}
"""What TFLite insists on."""


def softmax(draft: Draft, node: Node) -> int:
    """Over the last axis."""
    x = draft.value(node.inputs[0])
    return _fixed(draft, "SOFTMAX", x, image(node), Beta=1.0)


def activation(draft: Draft, node: Node) -> int:
    """By kind."""
    assert isinstance(node.op, Activation)
    x, out = draft.value(node.inputs[0]), image(node)
    if node.op.kind in DIRECT:
        code, options = DIRECT[node.op.kind]
        if code in INT8_ONLY and out.dtype == "int16":
            raise UnsupportedError(f"TFLite has no {node.op} in int16")
        slope = {"Alpha": node.op.slope} if code == "LEAKY_RELU" else {}
        return draft.emit(code, [x], out, **options, **slope)
    return COMPOSED[node.op.kind](draft, x, out)


def _logistic(draft: Draft, x: int, out: TensorType, code: str = "LOGISTIC") -> int:
    """int8 as TFLite has it where that is the graph's, else in int16."""
    if out.dtype == "int8" and not same(out.stored, FIXED[code]["int8"]):
        made = _fixed(draft, code, *draft.widened(x, out))
        return draft.requantized(made, out.quant)
    return _fixed(draft, code, x, out)


def _silu(draft: Draft, x: int, out: TensorType) -> int:
    """x times its sigmoid."""
    x, wide = draft.widened(x, out)
    quant = wide.quant and FIXED["LOGISTIC"]["int16"]
    gate = draft.emit("LOGISTIC", [x], replace(wide, quant=quant))
    return draft.requantized(draft.emit("MUL", [x, gate], wide), out.quant)


def _hard_sigmoid(draft: Draft, x: int, out: TensorType) -> int:
    """min(max(x / 6 + 1 / 2, 0), 1). The product keeps the integers: its scale is a sixth."""
    x, wide = draft.widened(x, out)
    sixth = wide.quant and Quant("int16", (draft.types[x].stored.scale[0] / 6,))
    share = draft.real(1 / 6, wide)
    product = draft.emit("MUL", [x, share], replace(wide, quant=sixth))
    options = {"PotScaleInt16": False}
    total = draft.emit("ADD", [product, draft.real(0.5, wide)], wide, **options)
    return draft.requantized(draft.limited(total, (0.0, 1.0)), out.quant)


def _fixed(draft: Draft, code: str, x: int, out: TensorType, **options: float) -> int:
    """An operator with a storage of its own, and what brings it to the graph's."""
    if out.quant is None:
        return draft.emit(code, [x], out, **options)
    own = FIXED[code][out.dtype]
    made = draft.emit(code, [x], replace(out, quant=own), **options)
    return draft.requantized(made, out.quant)


DIRECT: dict[str, tuple[str, dict[str, bool]]] = {
    "elu": ("ELU", {}),
    "gelu": ("GELU", {"Approximate": False}),
    "gelu_tanh": ("GELU", {"Approximate": True}),
    "hard_swish": ("HARD_SWISH", {}),
    "leaky_relu": ("LEAKY_RELU", {}),
}
INT8_ONLY = ("ELU", "GELU", "HARD_SWISH")
COMPOSED: dict[str, Callable[[Draft, int, TensorType], int]] = {
    "hard_sigmoid": _hard_sigmoid,
    "sigmoid": _logistic,
    "silu": _silu,
    "tanh": partial(_logistic, code="TANH"),
}
