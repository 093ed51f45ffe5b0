# SPDX-License-Identifier: Apache-2.0
"""A graph as an ONNX model: float32 at both ends, integers as QuantizeLinear, DequantizeLinear.

Inputs have the model's own layout; where one was channels first, so are the outputs. Opset 13, or
21 where something is int16.
"""

from functools import partial

from onnx import ModelProto, ValueInfoProto, checker, helper

from microai.errors import UnsupportedError
from microai.export import EXACT, write_steps
from microai.export.onnx_draft import Draft, first, interface, to_first, to_last
from microai.export.onnx_ops import WRITERS
from microai.graph import Graph, Node
from microai.op import Input
from microai.samples import own_shape

VERSIONS = {False: (13, 8), True: (21, 10)}
"""Opset and file version, by whether something is int16."""


def to_onnx(graph: Graph) -> bytes:
    """The file. UnsupportedError names every node that it cannot hold, and why."""
    draft = Draft(graph)
    inputs = [_input(draft, node) for node in graph.inputs]
    write_steps(graph, partial(_write, draft))
    outputs = [_output(draft, graph[name]) for name in graph.outputs]
    model = _model(draft, inputs, outputs)
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _model(draft: Draft, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> ModelProto:
    constants = list(draft.constants.values())
    opset, version = VERSIONS[any(n.type.dtype == "int16" for n in draft.graph.nodes)]
    graph = helper.make_graph(draft.nodes, "main", inputs, outputs, constants)
    return helper.make_model(
        graph, producer_name="microai", ir_version=version,
        opset_imports=[helper.make_opsetid("", opset)],
    )  # fmt: skip


def outputs_first(graph: Graph) -> bool:
    """Whether the outputs of the file have their channels first."""
    return any(isinstance(n.op, Input) and n.op.axes for n in graph.inputs)


def _input(draft: Draft, node: Node) -> ValueInfoProto:
    """From the model's own layout to channels first, and into its storage."""
    assert isinstance(node.op, Input)
    draft.scope = node.name
    rank = len(node.type.shape)
    axes = node.op.axes or tuple(range(rank))
    moved = draft.transposed(node.name, tuple(axes[axis] for axis in to_first(rank)))
    draft.values[node.name] = draft.stored(moved, node.name, node.type.quant)
    return interface(node, node.name, own_shape(node))


def _output(draft: Draft, node: Node) -> ValueInfoProto:
    """In the layout of the inputs, under the node's name."""
    shape = node.type.shape
    if outputs_first(draft.graph):
        draft.output(node.name, tuple(range(len(shape))))
        return interface(node, node.name, first(shape))
    draft.output(node.name, to_last(len(shape)))
    return interface(node, node.name, shape)


def _write(draft: Draft, node: Node) -> str:
    """Write a node; the reason where that is not possible."""
    draft.scope = node.name
    try:
        real = WRITERS[type(node.op)](draft, node)
    except UnsupportedError as error:
        draft.values[node.name] = node.name
        return str(error)
    quant = node.type.quant
    draft.values[node.name] = draft.stored(real, node.name, quant)
    if quant and quant.rounding == "floor" and not isinstance(node.op, EXACT):
        return "it rounds down, ONNX rounds to the nearest"
    return ""
