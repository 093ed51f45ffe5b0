# SPDX-License-Identifier: Apache-2.0
"""An ONNX file as plain values: the only module that knows its messages.

The file may come from anyone: sizes are limited, every tensor's bytes are counted, and external
data is only read from the model's own folder.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from microai.errors import UnsupportedError
from microai.types import Array

LARGEST_FILE = 64 << 20  # bytes; boards have 2 MiB of flash, float32 takes four times as much
MOST = 4096  # tensors or attributes
MOST_NODES = 1024  # of which networks for microcontrollers have some hundred
OPSETS = range(7, 22)
KNOWN = ("", "ai.onnx")
TYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
         9: "bool", 10: "float16", 11: "float64"}  # fmt: skip  # by TensorProto.DataType
FIELDS = {"float32": "float_data", "float64": "double_data", "int64": "int64_data"}
"""Where values stand that are no raw bytes; all others are in int32_data."""

Attribute = int | float | str | list[int] | list[float] | Array


@dataclass(frozen=True)
class OnnxNode:
    """`op` has its domain in front where that is not ONNX's own; an absent input is ''."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class OnnxInput:
    """A tensor the caller fills; a size that the model leaves open is 0."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class OnnxFile:
    """A model's graph."""

    opset: int
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, Array]
    inputs: tuple[OnnxInput, ...]
    outputs: tuple[str, ...]


def read_file(path: Path) -> OnnxFile:
    """What the file says; else UnsupportedError."""
    if path.stat().st_size > LARGEST_FILE:
        raise UnsupportedError(f"{path}: larger than {LARGEST_FILE} bytes")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
        return _file(model, path.parent)
    except (DecodeError, ValueError, UnicodeDecodeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200] or "not an ONNX model"
        raise UnsupportedError(f"{path}: damaged .onnx file: {reason}") from None


def is_standard(op: str) -> bool:
    """Whether ONNX itself defines an operator."""
    return bool(onnx.defs.has(op))


def _file(model: Any, folder: Path) -> OnnxFile:
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise UnsupportedError(f"it has {len(graph.node)} nodes, expected {MOST_NODES} at most")
    for what in ("initializer", "input", "output"):
        if len(getattr(graph, what)) > MOST:
            raise ValueError(f"it has over {MOST} of {what}")
    if not graph.node or not graph.output:
        raise ValueError("it has no nodes or no outputs")
    opset = max((o.version for o in model.opset_import if o.domain in KNOWN), default=0)
    if opset not in OPSETS:
        span = f"{OPSETS[0]} to {OPSETS[-1]}"
        raise UnsupportedError(f"its opset is {opset}, expected {span}: export it again")
    if graph.sparse_initializer or model.functions:
        raise UnsupportedError("it has sparse initializers or functions; export it without")
    constants = _constants(graph.initializer, folder)
    inputs = tuple(_input(value) for value in graph.input if _text(value.name) not in constants)
    nodes = tuple(_node(node, folder) for node in graph.node)
    return OnnxFile(opset, nodes, constants, inputs, tuple(_text(o.name) for o in graph.output))


def _constants(tensors: Iterable[Any], folder: Path) -> dict[str, Array]:
    """All initializers, as long as they are no larger than a file together."""
    constants, total = {}, 0
    for tensor in tensors:
        array = _array(tensor, folder)
        total += array.nbytes
        if total > 2 * LARGEST_FILE:
            raise ValueError(f"its tensors are larger than {2 * LARGEST_FILE} bytes together")
        constants[_text(tensor.name)] = array
    return constants


def _text(raw: Any) -> str:
    """A name; bytes that are no text come as bytes."""
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def _input(value: Any) -> OnnxInput:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in TYPES:
        raise UnsupportedError(f"input {value.name!r} is no tensor of numbers")
    if len(kind.shape.dim) > 8:
        raise ValueError(f"input {value.name!r} has {len(kind.shape.dim)} axes")
    shape = tuple(max(int(d.dim_value), 0) for d in kind.shape.dim)
    return OnnxInput(_text(value.name), shape, TYPES[kind.elem_type])


def _node(node: Any, folder: Path) -> OnnxNode:
    if len(node.attribute) > MOST or len(node.input) > MOST or len(node.output) > MOST:
        raise ValueError(f"node {node.name!r} has too many attributes, inputs or outputs")
    domain = "" if node.domain in KNOWN else f"{_text(node.domain)}."
    attributes = {_text(a.name): _attribute(a, folder) for a in node.attribute}
    return OnnxNode(
        domain + _text(node.op_type),
        tuple(map(_text, node.input)),
        tuple(map(_text, node.output)),
        attributes,
    )


def _attribute(attribute: Any, folder: Path) -> Attribute:
    """Its value; texts that are no text and nested graphs become words that fit nothing."""
    kinds = onnx.AttributeProto
    if attribute.type == kinds.TENSOR:
        return _array(attribute.t, folder)
    if attribute.type == kinds.STRING:
        return _text(attribute.s[:200])
    plain = {kinds.FLOAT: "f", kinds.INT: "i"}
    several = {kinds.FLOATS: "floats", kinds.INTS: "ints"}
    if attribute.type in several:
        return _short(getattr(attribute, several[attribute.type]))
    if attribute.type in plain:
        value: Attribute = getattr(attribute, plain[attribute.type])
        return value
    return f"an attribute of kind {attribute.type}"


def _short(values: Iterable[Any]) -> list[Any]:
    listed = list(values)
    if len(listed) > MOST:
        raise ValueError(f"an attribute has {len(listed)} values")
    return listed


def _array(tensor: Any, folder: Path) -> Array:
    """The values, once there are as many bytes as type and shape say."""
    if tensor.data_type not in TYPES:
        raise UnsupportedError(f"tensor {tensor.name!r} has data type {tensor.data_type}")
    dtype, shape = TYPES[tensor.data_type], tuple(tensor.dims)
    size = int(np.prod(shape, dtype=object)) if shape else 1
    if len(shape) > 8 or size < 0 or size * np.dtype(dtype).itemsize > LARGEST_FILE:
        raise ValueError(f"tensor {tensor.name!r} is {dtype} {shape}")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        values = np.frombuffer(_external(tensor, folder), dtype)
    elif tensor.HasField("raw_data"):
        values = np.frombuffer(tensor.raw_data, np.dtype(dtype).newbyteorder("<"))
    else:
        values = _typed(tensor, dtype)
    if len(values) != size:
        raise ValueError(f"tensor {tensor.name!r} is {shape}, it has {len(values)} values")
    return values.astype(dtype).reshape(shape)


def _typed(tensor: Any, dtype: str) -> Array:
    field = getattr(tensor, FIELDS.get(dtype, "int32_data"))
    if dtype == "float16":
        return np.asarray(field, np.uint16).view(np.float16)
    values = np.asarray(field)
    if values.size and dtype not in FIELDS and dtype != "bool":
        limits = np.iinfo(dtype)
        if values.min() < limits.min or values.max() > limits.max:
            raise ValueError(f"tensor {tensor.name!r} leaves {dtype}")
    return values


def _external(tensor: Any, folder: Path) -> bytes:
    """Bytes from a file beside the model, never from outside its folder."""
    entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    try:
        path = (folder / location).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_file()
    except OSError:  # too long a name
        inside = False
    if not inside:
        raise UnsupportedError(
            f"tensor {tensor.name!r} lies in {location[:80]!r}, expected in the model's folder"
        )
    offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
    if offset < 0 or length > LARGEST_FILE or (length < 0 and path.stat().st_size > LARGEST_FILE):
        raise ValueError(f"tensor {tensor.name!r} has external data at {offset}, {length} bytes")
    with path.open("rb") as file:
        file.seek(offset)
        content: bytes = file.read(length)
    return content
