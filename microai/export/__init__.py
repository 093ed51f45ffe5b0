# SPDX-License-Identifier: Apache-2.0
"""A graph as a file of another project's format; the libraries it needs are imported when asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from microai.errors import DeviceError
from microai.graph import Graph


def to_bytes(graph: Graph, kind: str) -> bytes:
    """The file; equal graphs give equal bytes. UnsupportedError lists every node it cannot hold."""
    return FORMATS[kind](graph)


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """DeviceError with the extra to install where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("microai"):
            raise
        raise DeviceError(
            f"{error.name} is not installed: pip install 'microai[{extra}]'"
        ) from None


def _tflite(graph: Graph) -> bytes:
    with needed("tflite"):
        from microai.export.tflite import to_tflite
    return to_tflite(graph)


def _onnx(graph: Graph) -> bytes:
    with needed("onnx"):
        from microai.export.onnx import to_onnx
    return to_onnx(graph)


FORMATS: dict[str, Callable[[Graph], bytes]] = {"tflite": _tflite, "onnx": _onnx}
