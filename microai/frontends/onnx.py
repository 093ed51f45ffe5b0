# SPDX-License-Identifier: Apache-2.0
"""ONNX models: float32, with QuantizeLinear and DequantizeLinear, or with operators on integers."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from microai.errors import UsageError
from microai.frontends.builder import Builder, Raw, RefusedError, Shape, Value, Weight
from microai.frontends.integers import in_integers
from microai.frontends.layout import delivered
from microai.frontends.onnx_call import Call, Held
from microai.frontends.onnx_file import (
    LARGEST_FILE,
    OnnxFile,
    OnnxInput,
    OnnxNode,
    is_standard,
    read_file,
)
from microai.frontends.onnx_fold import fold, foldable
from microai.frontends.onnx_gelu import with_gelus
from microai.frontends.onnx_ops import IMPORTERS, INSTEAD, RECURRENT
from microai.frontends.problems import Problems
from microai.graph import Graph, drop_dead, verify

LOOKED_THROUGH = ("QuantizeLinear", "DequantizeLinear", "Identity", "Cast")
"""What may stand between an input and the transpose that exporters put behind it."""
OTHERS = ("com.microsoft.",)
MOVE_INTEGERS = ("Cast", "Dropout", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Resize",
                 "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample")  # fmt: skip
"""What means the same before a DequantizeLinear as behind it."""
READ_INTEGERS = (*MOVE_INTEGERS, "DequantizeLinear", "QLinearConv", "QLinearMatMul", "Shape", *(
    name for name in IMPORTERS if name.startswith("com.microsoft.")
))  # fmt: skip


def import_onnx(path: Path, input_shape: Shape | None = None) -> Graph:
    """The graph, channels last; UnsupportedError lists everything that has no place in it."""
    file = read_file(path)
    nodes = with_gelus(file.nodes, file.constants, file.outputs)
    graph = in_integers(drop_dead(_Reader(replace(file, nodes=nodes), input_shape).read()))
    verify(graph)
    return graph


class _Reader:
    """Walks the nodes once, in order, collecting nodes and problems."""

    def __init__(self, file: OnnxFile, input_shape: Shape | None) -> None:
        self.file = file
        self.input_shape = input_shape
        self.builder = Builder("first")
        self.held: dict[str, Held | None] = {
            name: Weight(name, array) for name, array in file.constants.items()
        }
        self.problems = Problems()
        self.folded_bytes = 0
        self.readers: dict[str, list[OnnxNode]] = {}
        for node in file.nodes:
            for name in set(node.inputs[:1]):
                self.readers.setdefault(name, []).append(node)

    def read(self) -> Graph:
        """The graph, or every problem in one message."""
        for given in self.file.inputs:
            self.problems.guard(f"input {given.name}", partial(self._input, given))
        for number, node in enumerate(self.file.nodes):
            name = _place(node, number)
            self.problems.guard(f"{name}: {node.op}", partial(self._run, node, name))
        outputs: list[Value] = []
        for name in self.file.outputs:
            self.problems.guard(f"output {name}", partial(self._output, name, outputs))
        self.problems.report()
        return self.builder.graph(outputs)

    def _input(self, given: OnnxInput) -> None:
        self.held[given.name] = None
        shape = self._shape(given)
        if not 2 <= len(shape) <= 4 or shape[0] != 1:
            raise RefusedError(f"it is {shape}", "(1, features), (1, C, L) or (1, C, H, W)")
        if given.dtype not in ("float32", "int8", "uint8", "int16", "uint16"):
            raise RefusedError(f"it is {given.dtype}", "float32 or integers that are dequantized")
        kept = self._turned_first(given.name, len(shape))
        made = self.builder.input(given.name, shape, kept=kept)
        if given.dtype != "float32":
            self.builder.raw[made.name] = Raw(given.dtype, None)
        self.held[given.name] = made

    def _shape(self, given: OnnxInput) -> Shape:
        """Batch 1 where the model leaves it open; other open sizes come from the user."""
        if self.input_shape and len(self.file.inputs) == 1:
            if len(self.input_shape) != len(given.shape) or any(
                own not in (0, n)
                for own, n in zip(given.shape[1:], self.input_shape[1:], strict=True)
            ):
                raise UsageError(f"--input-shape {self.input_shape} for an input {given.shape}")
            return self.input_shape
        shape = tuple(n or int(axis == 0) for axis, n in enumerate(given.shape))
        if 0 in shape:
            raise RefusedError(f"its shape {given.shape} is open where it says 0", "--input-shape")
        return shape

    def _turned_first(self, name: str, rank: int) -> bool:
        """Whether all that reads an input turns it to channels first: then it is deployed as is."""
        wanted = [0, rank - 1, *range(1, rank - 1)]
        seen, names, turned = {name}, [name], False
        while names:
            for node in self.readers.get(names.pop(), []):
                if node.op in LOOKED_THROUGH:
                    names += [made for made in node.outputs[:1] if made not in seen]
                    seen.update(node.outputs)
                elif node.op == "Transpose" and node.attributes.get("perm") == wanted:
                    turned = True
                else:
                    return False
        return rank > 2 and turned

    def _run(self, node: OnnxNode, place: str) -> None:
        if again := [name for name in node.outputs if name and name in self.held]:
            raise RefusedError(f"it makes {again[0]!r}, which is there already")
        unmade = [name for name in node.inputs if name and name not in self.held]
        for name in node.outputs:  # it has a problem until it is made
            self.held.setdefault(name, None)
        if unmade:
            raise RefusedError(f"it reads {unmade[0]!r}, which nothing makes before it")
        inputs = [self.held[name] if name else None for name in node.inputs]
        call = Call(place, inputs, node.attributes, self.file.opset, _used(node))
        if node.op not in IMPORTERS and not foldable(node.op, call):
            raise RefusedError(*_unknown(node.op))
        if any(name and held is None for name, held in zip(node.inputs, inputs, strict=True)):
            return  # its problem is reported already
        self.held.update(zip(node.outputs, self._made(node, call), strict=False))

    def _made(self, node: OnnxNode, call: Call) -> tuple[Held, ...]:
        """What a node gives; integers are moved and dequantized, not computed with."""
        raw = self.builder.raw
        integers = [h.name for h in call.inputs if isinstance(h, Value) and h.name in raw]
        if integers and node.op not in READ_INTEGERS:
            raise RefusedError("it computes with integers", "DequantizeLinear in front of it")
        self.builder.place = call.name
        if foldable(node.op, call):
            made_now = fold(node.op, call)
            self.folded_bytes += made_now.array.nbytes
            if self.folded_bytes > LARGEST_FILE:
                raise RefusedError(f"constants grow beyond {LARGEST_FILE} bytes", "smaller ones")
            return (made_now,)
        made = IMPORTERS[node.op](self.builder, call)
        results = made if isinstance(made, tuple) else (made,)
        if integers and node.op in MOVE_INTEGERS:
            raw.update({held.name: raw[integers[0]] for held in results if held.name not in raw})
        return results

    def _output(self, name: str, outputs: list[Value]) -> None:
        held = self.held.get(name)
        if isinstance(held, Weight) or name not in self.held:
            raise RefusedError("it is constant or not computed")
        if held:
            self.builder.place = f"{held.name}.output"
            outputs.append(delivered(self.builder, held, outputs))


def _used(node: OnnxNode) -> int:
    """How many outputs have a name."""
    return sum(bool(name) for name in node.outputs)


def _place(node: OnnxNode, number: int) -> str:
    """The tensor's name; PyTorch's exporter has /path/Op_output_0."""
    own = node.outputs[0] if node.outputs else ""
    return own.removesuffix("_output_0").strip("/") or f"{node.op}_{number}"


def _unknown(op: str) -> tuple[str, str]:
    """Why there is no importer, and what to use."""
    domain, _, name = op.rpartition(".")
    if domain and f"{domain}." not in OTHERS:
        return f"{name!r} of domain {domain!r} is a custom operator of another tool", ""
    if not domain and not is_standard(op):
        return "it is no operator of ONNX but another tool's", ""
    if name in RECURRENT:
        return "recurrent layers are not built yet", "convolutions over time"
    return "no such op here", INSTEAD.get(name, "one that `microai ops --imports` lists")
