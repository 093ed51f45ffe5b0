# SPDX-License-Identifier: Apache-2.0
"""A graph as a .mai file: a zip of one JSON and a .npy for each weight; versioned, no pickle.

The file may come from anyone: sizes are checked before anything is read into memory.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from microai.errors import UnsupportedError, UsageError
from microai.graph import Graph, Node, Place, verify
from microai.op import Op
from microai.ops import OPS, SOURCES
from microai.types import Array, Quant, TensorType

VERSION = 1
STRICT = ConfigDict(extra="forbid")
LARGEST_BYTES = 256 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, OSError, KeyError, ValueError, EOFError,
          NotImplementedError, RuntimeError)  # fmt: skip  # what zipfile raises on damage
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same graph is the same file

_OPS: dict[str, type[Op]] = {op.__name__: op for op in (*SOURCES, *OPS)}


class SavedNode(BaseModel):
    """A node as JSON."""

    model_config = STRICT

    name: str
    op: str
    attributes: dict[str, Any]
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    quant: Quant | None
    place: Place


class SavedGraph(BaseModel):
    """A graph as JSON; weights are w0.npy, w1.npy, ... in the order of the Const nodes."""

    model_config = STRICT

    version: int
    outputs: tuple[str, ...]
    nodes: tuple[SavedNode, ...]


def model_id(graph: Graph) -> str:
    """SHA-256 of the graph and its weights, hexadecimal."""
    digest = hashlib.sha256(_to_json(graph))
    for const in graph.consts:
        digest.update(np.ascontiguousarray(graph.weights[const.name]).tobytes())
    return digest.hexdigest()


def to_bytes(graph: Graph) -> bytes:
    """The .mai file; equal graphs give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "graph.json", _to_json(graph))
        for index, const in enumerate(graph.consts):
            array = io.BytesIO()
            np.save(array, np.ascontiguousarray(graph.weights[const.name]), allow_pickle=False)
            _add(archive, f"w{index}.npy", array.getvalue())
    return buffer.getvalue()


def load(path: Path) -> Graph:
    """Read and verify a .mai file; UnsupportedError says what is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            graph = _read(archive)
        verify(graph)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except BROKEN as error:
        reason = " ".join(str(error).split())[:300]
        raise UnsupportedError(f"{path}: not a readable .mai file: {reason}") from None
    return graph


def _to_json(graph: Graph) -> bytes:
    nodes = [
        {
            "name": n.name, "op": type(n.op).__name__, "attributes": asdict(n.op),
            "inputs": n.inputs, "shape": n.type.shape,
            "quant": asdict(n.type.quant) if n.type.quant else None, "place": n.place,
        }
        for n in graph.nodes
    ]  # fmt: skip
    saved = {"version": VERSION, "outputs": graph.outputs, "nodes": nodes}
    return json.dumps(saved, sort_keys=True, allow_nan=False).encode()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)


def _read(archive: zipfile.ZipFile) -> Graph:
    total = sum(info.file_size for info in archive.infolist())
    if total > LARGEST_BYTES:
        raise ValueError(f"it unpacks to {total} bytes, the limit is {LARGEST_BYTES}")
    content = json.loads(archive.read("graph.json"))
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"expected version {VERSION}; save it again with this microai")
    saved = SavedGraph.model_validate(content)
    nodes = tuple(map(_node, saved.nodes))
    consts = [node for node in nodes if node.op.__class__.__name__ == "Const"]
    weights = {n.name: _weight(archive, f"w{i}.npy", n.type) for i, n in enumerate(consts)}
    return Graph(nodes, saved.outputs, weights)


def _node(saved: SavedNode) -> Node:
    if saved.op not in _OPS:
        raise ValueError(f"{saved.name!r} is a {saved.op!r}, which this microai does not know")
    if unknown := set(saved.attributes) - {f.name for f in fields(_OPS[saved.op])}:
        raise ValueError(f"{saved.name!r}: a {saved.op} has no {', '.join(sorted(unknown))}")
    try:
        op = TypeAdapter(_OPS[saved.op]).validate_python(saved.attributes)
    except ValidationError as error:
        raise ValueError(f"{saved.name!r}: {error.errors()[0]['msg']}") from None
    if not saved.shape or min(saved.shape) < 1:
        raise ValueError(f"{saved.name!r} has shape {saved.shape}")
    return Node(saved.name, op, saved.inputs, TensorType(saved.shape, saved.quant), saved.place)


def _weight(archive: zipfile.ZipFile, name: str, kind: TensorType) -> Array:
    """The array, once its header says that it is what the node needs."""
    content = archive.read(name)
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not a version 1.0 .npy file")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if shape != kind.shape or str(dtype) != kind.element:
        raise ValueError(f"{name} is {dtype} {shape}, its node says {kind.element} {kind.shape}")
    if len(content) - stream.tell() != kind.bytes:
        raise ValueError(f"{name} holds {len(content) - stream.tell()} bytes, not {kind.bytes}")
    array: Array = np.load(io.BytesIO(content), allow_pickle=False)
    return array
