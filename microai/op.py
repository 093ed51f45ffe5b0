# SPDX-License-Identifier: Apache-2.0
"""What an op is: attributes (the dataclass fields) and rules (the methods).

Every rule takes the op's inputs in order and, where it is needed, `out` last.
Rules accept any batch size; types speak of batch 1.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from microai.fixedpoint import Scaling
from microai.types import Floats, Ints, QTensor, Quant, TensorType

if TYPE_CHECKING:
    import torch

CValue = int | float | bool | str | tuple[float | str, ...]
CParams = dict[str, CValue]


def snake(name: str) -> str:
    """MaxPool as max_pool."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def quant_of(operand: TensorType | QTensor) -> Quant:
    """An operand's integer storage, be it an activation or a constant."""
    return operand.quant if isinstance(operand, QTensor) else operand.stored


@dataclass(frozen=True)
class Storage:
    """What integer storage an op insists on; None and absent are no opinion."""

    inputs: Mapping[int, Quant]
    out: Quant | None = None


@dataclass(frozen=True)
class Accumulator:
    """The largest |sum| of each output channel, the real ratio each is rescaled by, and the
    integers that stand for the ratios.
    """

    bound: Ints
    ratios: Sequence[float]
    scaling: Scaling


@dataclass(frozen=True)
class Op(ABC):
    """One operation. Subclasses hold attributes as fields and never carry state."""

    CHANNEL_AXIS: ClassVar[Mapping[int, int]] = {}
    """For each input that is a weight: the axis that may have a scale for each channel."""

    CONVERTS: ClassVar[bool] = False
    """Whether integers and floats meet in it."""

    def slug(self, *inputs: Any, **_: Any) -> str:
        """The op's name in file names, for inputs of these types."""
        return snake(type(self).__name__)

    @abstractmethod
    def infer(self, *inputs: Any, **_: Any) -> TensorType:
        """Output type (shape only) of input types, or ShapeError."""

    @abstractmethod
    def run_float(self, *inputs: Any, **_: Any) -> torch.Tensor:
        """Float meaning, in torch, differentiable."""

    @abstractmethod
    def run_int(self, *inputs: Any, **_: Any) -> Ints | Floats:
        """Exact integer meaning of QTensors, in numpy int64."""

    def storage(self, *inputs: Any, **_: Any) -> Storage:
        """The storage this op insists on, given what is proposed for its inputs and output."""
        return Storage({})

    def accumulator(self, *inputs: Any, **_: Any) -> Accumulator | None:
        """What is to be proved of an integer node; None where nothing is rescaled.

        Activations come as types, constants as QTensors.
        """
        return None

    def c_params(self, *inputs: Any, **_: Any) -> CParams:
        """The numbers a template prints."""
        return {}

    def macs(self, *inputs: Any, **_: Any) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def overwrites(self, *inputs: Any, **_: Any) -> tuple[int, ...]:
        """Inputs whose memory the output may take when nothing else needs them.

        Contract for every kernel: output element i is written after the last read of input
        elements 0..i, when both start at the same address.
        """
        return ()

    def __str__(self) -> str:
        return type(self).__name__


@dataclass(frozen=True)
class Source(Op):
    """A node without inputs: nothing to compute."""

    shape: tuple[int, ...]

    def infer(self) -> TensorType:
        return TensorType(self.shape)

    def run_float(self) -> torch.Tensor:
        raise AssertionError("sources are fed, not run")

    def run_int(self, out: Quant) -> Ints:
        raise AssertionError(f"sources are fed, not run: {out}")


@dataclass(frozen=True)
class Input(Source):
    """A tensor the caller fills.

    `axes` takes the model's own layout to this one (NCHW to NHWC: 0, 2, 3, 1); empty is the same.
    `mean`, `std`: the caller subtracts and divides first, one value or one per last index.
    """

    axes: tuple[int, ...] = ()
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def normalized(self) -> bool:
        """Whether mean and std do anything."""
        return any(self.mean) or any(s != 1 for s in self.std)


@dataclass(frozen=True)
class Const(Source):
    """A tensor from the graph's weights, by the node's name."""
