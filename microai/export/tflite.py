# SPDX-License-Identifier: Apache-2.0
"""A graph as a .tflite file for TFLite Micro and LiteRT.

Weights have a scale for each channel, int16 activations have zero point 0 and 64-bit biases.
TFLite's own rules (a pool's storage stays, a softmax has one scale) are kept by further QUANTIZE
operators; what it cannot say is refused, all of it in one message.
"""

from functools import partial

from microai.bounds import INT32_MAX, accumulator
from microai.errors import UnsupportedError
from microai.export import EXACT, write_steps
from microai.export.tflite_draft import Draft, image, lifted
from microai.export.tflite_ops import WRITERS
from microai.graph import Graph, Node
from microai.ops import LINEAR


def to_tflite(graph: Graph) -> bytes:
    """The file. UnsupportedError names every node that it cannot hold, and why."""
    draft = Draft(graph)
    interface = [_input(draft, node) for node in graph.inputs]
    write_steps(graph, partial(_write, draft))
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
        draft.name(index, f"{node.name}/image", only=node.name)
        draft.name(shaped, node.name)
    return shaped


def _write(draft: Draft, node: Node) -> str:
    """Write a node; the reasons where that is not possible."""
    draft.scope = node.name
    before = len(draft.types)
    reasons = _refusals(draft.graph, node)
    try:
        made = WRITERS[type(node.op)](draft, node)
    except UnsupportedError as error:
        made = draft.tensor(node.name, image(node))
        reasons.append(str(error))
    if made >= before:
        draft.name(made, node.name)
    draft.values[node.name] = made
    return ", and ".join(reasons)


def _refusals(graph: Graph, node: Node) -> list[str]:
    """Why the format cannot store it, whatever the op."""
    out, reasons = node.type.quant, []
    if out is None:
        return []
    if out.rounding == "floor" and not isinstance(node.op, EXACT):
        reasons.append("it rounds down, TFLite rounds to the nearest")
    if out.dtype == "int16" and out.zero:
        reasons.append(f"its int16 has zero point {out.zero}, TFLite's is 0")
    if isinstance(node.op, LINEAR):
        kind = graph[node.inputs[1]].type.dtype
        if kind != "int8":
            reasons.append(f"its weights are {kind}, TFLite's are int8")
        sums = accumulator(graph, node)
        if out.dtype == "int8" and sums and int(sums.bound.max()) > INT32_MAX:
            reasons.append("its sums may leave int32, which is what TFLite has for them")
    return reasons
