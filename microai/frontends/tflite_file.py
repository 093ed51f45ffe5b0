# SPDX-License-Identifier: Apache-2.0
"""A .tflite file as plain values: the only module that knows the schema's classes.

The file may come from anyone: its size is limited, every index and length is checked, and whatever
the schema's reader stumbles over is one UnsupportedError.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from microai.errors import UnsupportedError
from microai.types import Array

LARGEST_FILE = 64 << 20  # bytes; boards have 2 MiB of flash, float32 takes four times as much
MOST = 4096  # tensors or buffers
LARGEST_INT4 = 1 << 22  # elements of a tensor, each unpacked to a byte
MOST_OPERATORS = 1024  # of which networks for microcontrollers have some dozens
BROKEN = (struct.error, IndexError, ValueError, TypeError, OverflowError, UnicodeDecodeError,
          AttributeError)  # fmt: skip  # what flatbuffers raises on damage
IDENTIFIER = slice(4, 8), b"TFL3"
DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16",
          9: "int8", 17: "int4"}  # fmt: skip  # by TensorType of the schema
OPTIONS = {
    "AddOptions": ("FusedActivationFunction",),
    "ConcatenationOptions": ("Axis", "FusedActivationFunction"),
    "Conv2DOptions": (
        "Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor",
        "FusedActivationFunction",
    ),
    "DepthwiseConv2DOptions": (
        "Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor",
        "FusedActivationFunction",
    ),
    "DivOptions": ("FusedActivationFunction",),
    "FullyConnectedOptions": ("FusedActivationFunction", "WeightsFormat"),
    "GeluOptions": ("Approximate",),
    "LeakyReluOptions": ("Alpha",),
    "MulOptions": ("FusedActivationFunction",),
    "PackOptions": ("Axis",),
    "Pool2DOptions": (
        "Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction",
    ),
    "ReducerOptions": ("KeepDims",),
    "ResizeNearestNeighborOptions": ("AlignCorners", "HalfPixelCenters"),
    "SoftmaxOptions": ("Beta",),
    "SplitOptions": ("NumSplits",),
    "StridedSliceOptions": (
        "BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask",
    ),
    "SubOptions": ("FusedActivationFunction",),
    "TransposeConvOptions": ("Padding", "StrideH", "StrideW", "FusedActivationFunction"),
}  # fmt: skip
"""The numbers that importers read, by the table of the schema that holds them."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file; `scale` and `zero` are empty where it has no quantization."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: Array
    zero: Array
    axis: int
    data: Array | None


@dataclass(frozen=True)
class Operator:
    """`name` is the schema's, or custom:NAME; inputs and outputs are indices, -1 none."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float]


@dataclass(frozen=True)
class File:
    """A file's only subgraph."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_file(path: Path) -> File:
    """What the file says, all indices inside their tables; else UnsupportedError."""
    if path.stat().st_size > LARGEST_FILE:
        raise UnsupportedError(f"{path}: larger than {LARGEST_FILE} bytes")
    content = path.read_bytes()
    if content[IDENTIFIER[0]] != IDENTIFIER[1]:
        raise UnsupportedError(f"{path}: not a .tflite file: TFL3 is not at its 5th byte")
    try:
        return _file(content)
    except (struct.error, IndexError):
        raise UnsupportedError(f"{path}: damaged .tflite file: it ends too early") from None
    except BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnsupportedError(f"{path}: damaged .tflite file: {reason}") from None


def _file(content: bytes) -> File:
    model = tflite.Model.GetRootAs(content, 0)
    if model.Version() != 3:
        raise ValueError(f"schema version is {model.Version()}, expected 3")
    if _count(model.SubgraphsLength(), "subgraphs") != 1:
        raise ValueError(f"it has {model.SubgraphsLength()} subgraphs, expected one")
    graph = model.Subgraphs(0)
    buffers = [model.Buffers(i) for i in range(_count(model.BuffersLength(), "buffers"))]
    codes = [
        _name(model.OperatorCodes(i))
        for i in range(_count(model.OperatorCodesLength(), "operator codes"))
    ]
    tensors = _tensors(graph, buffers)
    steps = range(_count(graph.OperatorsLength(), "operators", MOST_OPERATORS))
    operators = tuple(_operator(graph.Operators(i), codes) for i in steps)
    ends = (_ints(graph.InputsAsNumpy()), _ints(graph.OutputsAsNumpy()))
    used = [index for one in operators for index in (*one.inputs, *one.outputs)]
    for index in (*used, *ends[0], *ends[1]):
        if not -1 <= index < len(tensors):
            raise ValueError(f"tensor {index} is used, there are {len(tensors)}")
    if -1 in (*ends[0], *ends[1]) or not ends[0] or not ends[1]:
        raise ValueError("it has no inputs or no outputs")
    return File(tensors, operators, *ends)


def _count(length: int, what: str, most: int = MOST) -> int:
    if not 0 <= length <= most:
        raise ValueError(f"it says it has {length} {what}, the limit is {most}")
    return length


def _name(code: Any) -> str:
    """Old files have the operator in a byte, new ones in a further field."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    known: dict[int, str] = _by_number(tflite.BuiltinOperator)
    if number not in known:
        raise ValueError(f"operator code {number} is not in the schema")
    if known[number] == "CUSTOM":
        return f"custom:{_text(code.CustomCode())}"
    return known[number]


def _by_number(enumeration: type) -> dict[int, str]:
    """Names of the schema by their numbers."""
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")[:200]


def _ints(array: Any) -> tuple[int, ...]:
    """A vector of the file; an absent one reads as the number 0."""
    values = np.atleast_1d(array) if not isinstance(array, int) else np.empty(0, np.int64)
    _count(len(values), "entries in one list")
    return tuple(int(v) for v in values)


def _tensor(tensor: Any, buffers: list[Any]) -> Tensor:
    name, shape = _text(tensor.Name()), _ints(tensor.ShapeAsNumpy())
    if tensor.Type() not in DTYPES:
        raise ValueError(f"tensor {name!r} has type {tensor.Type()}")
    if tensor.Sparsity() is not None:
        raise UnsupportedError(f"tensor {name!r} is sparse; convert it to a dense one")
    if len(shape) > 8 or any(size < 0 for size in shape):
        raise ValueError(f"tensor {name!r} has shape {shape}")
    if not 0 <= tensor.Buffer() < len(buffers):
        raise ValueError(f"tensor {name!r} is in buffer {tensor.Buffer()} of {len(buffers)}")
    quantization, dtype = tensor.Quantization(), DTYPES[tensor.Type()]
    if quantization is not None and quantization.DetailsType():
        raise ValueError(f"tensor {name!r} has a quantization of another tool")
    empty = np.empty(0)
    scale, zero, axis = (empty, empty, 0) if quantization is None else (
        _vector(quantization.ScaleAsNumpy()), _vector(quantization.ZeroPointAsNumpy()),
        int(quantization.QuantizedDimension()),
    )  # fmt: skip
    data = _data(buffers[tensor.Buffer()], name, shape, dtype)
    return Tensor(name, shape, dtype, scale, zero, axis, data)


def _tensors(graph: Any, buffers: list[Any]) -> tuple[Tensor, ...]:
    """All of them, as long as what they unpack to is no larger than two files."""
    tensors, total = [], 0
    for index in range(_count(graph.TensorsLength(), "tensors")):
        tensors.append(_tensor(graph.Tensors(index), buffers))
        data = tensors[-1].data
        total += 0 if data is None or data.base is not None else data.nbytes
        if total > 2 * LARGEST_FILE:
            raise ValueError(f"its tensors unpack to over {2 * LARGEST_FILE} bytes")
    return tuple(tensors)


def _vector(array: Any) -> Array:
    return np.empty(0) if isinstance(array, int) else np.asarray(array)


def _data(buffer: Any, name: str, shape: tuple[int, ...], dtype: str) -> Array | None:
    """A constant's values; None for what is computed."""
    if buffer.Offset() or buffer.Size():
        raise ValueError(f"tensor {name!r} lies outside the file's tables")
    raw = _vector(buffer.DataAsNumpy())
    if not raw.size:
        return None
    size = int(np.prod(shape, dtype=object)) if shape else 1
    each = np.dtype("int8" if dtype == "int4" else dtype).itemsize
    expected = (size + 1) // 2 if dtype == "int4" else size * each
    if len(raw) != expected:
        raise ValueError(f"tensor {name!r} is {dtype} {shape}, its buffer has {len(raw)} bytes")
    if dtype == "int4":
        if size > LARGEST_INT4:
            raise ValueError(f"tensor {name!r} has {size} elements of int4")
        pairs = np.stack([raw << 4, raw], axis=1).view(np.int8) >> 4  # the lower half comes first
        return pairs.ravel()[:size].reshape(shape).copy()
    return raw.view(dtype).reshape(shape)


def _operator(operator: Any, codes: list[str]) -> Operator:
    if not 0 <= operator.OpcodeIndex() < len(codes):
        raise ValueError(f"an operator has code {operator.OpcodeIndex()} of {len(codes)}")
    inputs, outputs = _ints(operator.InputsAsNumpy()), _ints(operator.OutputsAsNumpy())
    return Operator(codes[operator.OpcodeIndex()], inputs, outputs, _options(operator))


def _options(operator: Any) -> dict[str, float]:
    kinds = _by_number(tflite.BuiltinOptions)
    kind, table = kinds.get(operator.BuiltinOptionsType(), ""), operator.BuiltinOptions()
    if kind not in OPTIONS or table is None:
        return {}
    options = getattr(tflite, kind)()
    options.Init(table.Bytes, table.Pos)
    return {name: getattr(options, name)() for name in OPTIONS[kind]}
