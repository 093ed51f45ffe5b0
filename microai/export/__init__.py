# SPDX-License-Identifier: Apache-2.0
"""A graph as a file of another project's format; the libraries it needs are imported when asked."""

from collections.abc import Callable

from microai.extras import needed
from microai.graph import Graph


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
