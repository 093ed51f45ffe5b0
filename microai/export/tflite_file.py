# SPDX-License-Identifier: Apache-2.0
"""Tensors and operators as the bytes of a .tflite file.

Schema version 3: https://github.com/google-ai-edge/LiteRT, tflite/schema/schema.fbs. Names of
operators, options and types are the schema's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import flatbuffers
import numpy as np
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType as ElementType

from microai.types import Array

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # of a buffer's data, by the schema
OLD_CODES = 127  # what the first field for an operator's number can hold

Vectors = Sequence[int]


@dataclass(frozen=True)
class Tensor:
    """`data` None is an activation. `scale` empty is not quantized."""

    name: str
    shape: tuple[int, ...]
    element: str
    data: Array | None = None
    scale: tuple[float, ...] = ()
    zero: int = 0
    axis: int = 0


@dataclass(frozen=True)
class Operator:
    """`code` as in BuiltinOperator; `options` are the fields of the table `kind`, as in Conv2D."""

    code: str
    version: int
    inputs: Vectors
    outputs: Vectors
    kind: str = ""
    options: Mapping[str, int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """One subgraph; indices are the tensors'."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Vectors
    outputs: Vectors

    def to_bytes(self) -> bytes:
        """Flatbuffers are written from the leaves to the root."""
        builder = flatbuffers.Builder(1024)
        codes = sorted({(op.code, op.version) for op in self.operators})
        buffers = [_buffer(builder, None), *(_buffer(builder, t.data) for t in self.tensors)]
        subgraph = self._subgraph(builder, codes)
        model = _table(
            builder, "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=_offsets(builder, [_code(builder, *code) for code in codes]),
            Subgraphs=_offsets(builder, [subgraph]),
            Description=builder.CreateString("microai"),
            Buffers=_offsets(builder, buffers),
        )  # fmt: skip
        builder.Finish(model, IDENTIFIER)
        return bytes(builder.Output())

    def _subgraph(self, builder: Any, codes: list[tuple[str, int]]) -> int:
        tensors = [_tensor(builder, t, i) for i, t in enumerate(self.tensors, start=1)]
        operators = [_operator(builder, op, codes) for op in self.operators]
        return _table(
            builder, "SubGraph",
            Tensors=_offsets(builder, tensors),
            Inputs=_numbers(builder, self.inputs, np.int32),
            Outputs=_numbers(builder, self.outputs, np.int32),
            Operators=_offsets(builder, operators),
            Name=builder.CreateString("main"),
        )  # fmt: skip


def _table(builder: Any, name: str, **fields: Any) -> int:
    """A table of the schema; a field that holds its default takes no space."""
    module = import_module(f"tflite.{name}")
    getattr(module, f"{name}Start")(builder)
    for key, value in fields.items():
        getattr(module, f"{name}Add{key}")(builder, value)
    end: int = getattr(module, f"{name}End")(builder)
    return end


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    """A vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    end: int = builder.EndVector()
    return end


def _numbers(builder: Any, values: Sequence[float], kind: type[np.generic]) -> int:
    end: int = builder.CreateNumpyVector(np.asarray(values, kind))
    return end


def _buffer(builder: Any, data: Array | None) -> int:
    if data is None:
        return _table(builder, "Buffer")
    raw = np.ascontiguousarray(data).tobytes()
    builder.StartVector(1, len(raw), ALIGNMENT)
    builder.head -= len(raw)
    builder.Bytes[builder.head : builder.head + len(raw)] = raw
    return _table(builder, "Buffer", Data=builder.EndVector())


def _tensor(builder: Any, tensor: Tensor, buffer: int) -> int:
    return _table(
        builder, "Tensor",
        **_quantization(builder, tensor),
        Name=builder.CreateString(tensor.name),
        Shape=_numbers(builder, tensor.shape, np.int32),
        Type=getattr(ElementType, tensor.element.upper()),
        Buffer=buffer,
    )  # fmt: skip


def _quantization(builder: Any, tensor: Tensor) -> dict[str, int]:
    if not tensor.scale:
        return {}
    zeros = [tensor.zero] * len(tensor.scale)
    table = _table(
        builder, "QuantizationParameters",
        Scale=_numbers(builder, tensor.scale, np.float32),
        ZeroPoint=_numbers(builder, zeros, np.int64),
        QuantizedDimension=tensor.axis,
    )  # fmt: skip
    return {"Quantization": table}


def _code(builder: Any, code: str, version: int) -> int:
    number = getattr(BuiltinOperator, code)
    return _table(
        builder, "OperatorCode",
        DeprecatedBuiltinCode=min(number, OLD_CODES), Version=version, BuiltinCode=number,
    )  # fmt: skip


def _operator(builder: Any, op: Operator, codes: list[tuple[str, int]]) -> int:
    fields: dict[str, int] = {}
    if op.kind:
        name = f"{op.kind}Options"
        fields["BuiltinOptionsType"] = getattr(BuiltinOptions, name)
        fields["BuiltinOptions"] = _table(builder, name, **op.options)
    return _table(
        builder, "Operator",
        OpcodeIndex=codes.index((op.code, op.version)),
        Inputs=_numbers(builder, op.inputs, np.int32),
        Outputs=_numbers(builder, op.outputs, np.int32),
        **fields,
    )  # fmt: skip
