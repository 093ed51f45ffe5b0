# SPDX-License-Identifier: Apache-2.0
"""A graph as a .tflite file for TFLite Micro and LiteRT.

Weights have a scale for each channel, int16 activations have zero point 0 and 64-bit biases.
TFLite's own rules (a pool's storage stays, a softmax has one scale) are kept by further QUANTIZE
operators; what it cannot say is refused, all of it in one message.
"""

from microai.errors import UnsupportedError
from microai.export.tflite_draft import Draft, lifted
from microai.export.tflite_ops import WRITERS
from microai.graph import Graph, Node
from microai.op import Const, Input
from microai.ops import MaxPool, Pad, Relu, Reshape, Resize, Slice

EXACT = MaxPool | Pad | Relu | Reshape | Resize | Slice
"""Ops that round nothing."""


def to_tflite(graph: Graph) -> bytes:
    """The file. UnsupportedError names every node that it cannot hold, and why."""
    draft, refused = Draft(graph), []
    interface = [_input(draft, node) for node in graph.inputs]
    for node in graph.nodes:
        if isinstance(node.op, Input | Const):
            continue
        if reason := _write(draft, node):
            refused.append(f"{node.name}: {reason}")
    if refused:
        raise UnsupportedError("; ".join(refused))
    outputs = [_output(draft, graph[name]) for name in graph.outputs]
    return draft.file(interface, outputs).to_bytes()


def _input(draft: Draft, node: Node) -> int:
    """The caller's tensor keeps its rank."""
    draft.scope = node.name
    index = draft.tensor(node.name, node.type)
    draft.values[node.name] = draft.reshaped(index, lifted(node.type.shape))
    return index


def _output(draft: Draft, node: Node) -> int:
    """With the rank that the caller knows."""
    draft.scope = node.name
    index = draft.values[node.name]
    shaped = draft.reshaped(index, node.type.shape)
    if shaped != index:
        draft.name(index, f"{node.name}/image")
        draft.name(shaped, node.name)
    return shaped


def _write(draft: Draft, node: Node) -> str:
    """Write a node; the reason where that is not possible."""
    draft.scope = node.name
    before = len(draft.types)
    reason = _refusal(draft.graph, node)
    try:
        made = WRITERS[type(node.op)](draft, node)
    except UnsupportedError as error:
        made, reason = draft.tensor(node.name, node.type), reason or str(error)
    if made >= before:
        draft.name(made, node.name)
    draft.values[node.name] = made
    return reason


def _refusal(graph: Graph, node: Node) -> str:
    """Why the format cannot store it, whatever the op."""
    out = node.type.quant
    if out is None:
        return ""
    if out.rounding == "floor" and not isinstance(node.op, EXACT):
        return "it rounds down, TFLite rounds to the nearest"
    if out.dtype == "int16" and out.zero:
        return f"its int16 has zero point {out.zero}, TFLite's is 0"
    if 1 in node.op.CHANNEL_AXIS and (kind := graph[node.inputs[1]].type.dtype) != "int8":
        return f"its weights are {kind}, TFLite's are int8"
    return ""
