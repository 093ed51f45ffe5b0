# SPDX-License-Identifier: Apache-2.0
"""Functions of one variable and softmax as operators of a .tflite file.

TFLite stores what LOGISTIC, TANH and SOFTMAX make in one way only; where the graph stores it
otherwise, a QUANTIZE follows.
"""

from dataclasses import replace

from microai.errors import UnsupportedError
from microai.export.tflite_draft import Draft, image, same
from microai.export.tflite_window import finer
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
    raise UnsupportedError(f"TFLite has no {node.op}")


def _fixed(draft: Draft, code: str, x: int, out: TensorType, **options: float) -> int:
    """An operator with a storage of its own, and what brings it to the graph's."""
    if out.quant is None:
        return draft.emit(code, [x], out, **options)
    own = FIXED[code][out.dtype]
    made = draft.emit(code, [x], replace(out, quant=own), **options)
    return draft.requantized(made, out.quant)
