# SPDX-License-Identifier: Apache-2.0
"""A graph as a file of another project's format; the libraries it needs are imported when asked."""

from collections.abc import Callable

from microai.errors import UnsupportedError
from microai.extras import needed
from microai.graph import Graph, Node
from microai.ops import MaxPool, Pad, Reshape, Resize, Slice, Transpose

EXACT = MaxPool | Pad | Reshape | Resize | Slice | Transpose
"""Ops that round nothing."""


def write_steps(graph: Graph, write: Callable[[Node], str]) -> None:
    """Write every node that computes; UnsupportedError names all that give a reason against it."""
    reasons = {node.name: write(node) for node in graph.steps}
    if refused := [f"{name}: {reason}" for name, reason in reasons.items() if reason]:
        raise UnsupportedError("; ".join(refused))


def to_bytes(graph: Graph, kind: str) -> bytes:
    """The file; equal graphs give equal bytes. UnsupportedError lists every node it cannot hold."""
    return FORMATS[kind](graph)


def _tflite(graph: Graph) -> bytes:
    with needed("tflite"):
        from microai.export.tflite import to_tflite
    return to_tflite(graph)


def _onnx(graph: Graph) -> bytes:
    with needed("onnx"):
        from microai.export.onnx import to_onnx
    return to_onnx(graph)


FORMATS: dict[str, Callable[[Graph], bytes]] = {"tflite": _tflite, "onnx": _onnx}
