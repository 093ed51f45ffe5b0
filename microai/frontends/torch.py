# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules through torch.export. The only file that knows its data structures.

Both a factory in a .py file and a .pt2 file run code of whoever wrote them: trusted input.
"""

import importlib.util
import io
import logging
import operator
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind

from microai.errors import UnsupportedError, UsageError
from microai.frontends.aten import IMPORTERS, INSTEAD
from microai.frontends.builder import Builder, RefusedError, Shape, Value, Weight
from microai.frontends.fx_names import describe, place
from microai.frontends.layout import delivered
from microai.frontends.problems import Problems
from microai.graph import Graph, drop_dead, verify

USER_OUTPUT = OutputKind.USER_OUTPUT  # others are inputs and buffers that forward writes to
WEIGHTS = ("weight", "bias", "running_mean", "running_var")  # arguments that may be parameters
ARITHMETIC = ("add", "sub", "mul", "div")  # ops whose operands may be
SUPPORTED = "one that `microai ops --imports` lists"


def import_factory(path: Path, factory: str, input_shape: Shape | None) -> Graph:
    """The module that `factory()` in `path` returns, alone or with its example inputs."""
    made = call_python(path, factory)
    module, inputs = made if isinstance(made, tuple) else (made, None)
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"{path}:{factory} returned {type(module).__name__}, expected a Module")
    if input_shape is not None:
        inputs = (torch.zeros(input_shape),)
    if inputs is None:
        raise UsageError(
            f"{path}:{factory} returned no example inputs; return (module, example_inputs) "
            "or pass --input-shape 1,C,H,W"
        )
    inputs = inputs if isinstance(inputs, tuple | list) else (inputs,)
    if not inputs or not all(isinstance(x, torch.Tensor) and x.ndim for x in inputs):
        raise UsageError(f"{path}:{factory}: example inputs must be a tuple of tensors (N, ...)")
    return import_module(module, tuple(inputs))


def import_module(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Graph:
    """A module in inference mode, exported at batch 1."""
    single = tuple(x[:1] for x in inputs)
    with _quiet():
        try:
            exported = torch.export.export(module.eval(), single)
        except Exception as error:  # noqa: BLE001  torch.export fails in as many ways as users' code
            raise UnsupportedError(f"torch.export could not capture it: {_brief(error)}") from None
    return import_exported(exported)


def import_pt2(path: Path) -> Graph:
    """A program saved by torch.export.save."""
    with _quiet():
        try:
            exported = torch.export.load(path)
        except Exception as error:  # noqa: BLE001  the file may hold anything
            raise UnsupportedError(f"{path}: not a readable .pt2: {_brief(error)}") from None
    return import_exported(exported)


def import_exported(exported: ExportedProgram) -> Graph:
    """The graph, channels last; UnsupportedError lists everything that has no place in it."""
    with _quiet():
        functional = exported.run_decompositions({})  # in-place operators become plain ones
    reader = _Reader(functional)
    graph = drop_dead(reader.read())
    verify(graph)
    return graph


Imported = Value | Weight | tuple[Value, ...] | None
"""What a node stands for: several values for a split, None where it has a problem."""


class _Reader:
    """Walks an exported program once, in order, collecting nodes and problems."""

    def __init__(self, exported: ExportedProgram) -> None:
        self.signature = exported.graph_signature
        self.nodes = list(exported.graph.nodes)
        self.state = {**exported.state_dict, **exported.constants}
        self.builder = Builder()
        self.values: dict[str, Imported] = {}
        self.problems = Problems()

    def read(self) -> Graph:
        """The graph, or every problem in one message."""
        outputs: list[Value] = []
        for node in self.nodes:
            if node.op == "placeholder":
                self.values[node.name] = self._guarded(node, self._placeholder)
            elif node.op == "call_function":
                self.values[node.name] = self._guarded(node, self._call_function)
            elif node.op == "output":
                outputs = self._outputs(node)
        self.problems.report()
        return self.builder.graph(outputs)

    def _guarded(self, node: Any, read: Callable[[Any], Imported]) -> Imported:
        """The node's value; None when it, or what it reads, has a problem."""
        return self.problems.guard(describe(node), partial(read, node))

    def _placeholder(self, node: Any) -> Imported:
        name = node.name
        tables = (
            self.signature.inputs_to_parameters,
            self.signature.inputs_to_buffers,
            self.signature.inputs_to_lifted_tensor_constants,
        )
        for table in tables:
            if name in table:
                tensor = self.state[table[name]].detach()
                return Weight(table[name], tensor.float().cpu().numpy())
        if not isinstance(node.meta.get("val"), torch.Tensor):
            raise RefusedError("it is not a tensor", "tensor inputs only")
        shape = _shape(node)
        if len(shape) not in (2, 3, 4) or shape[0] != 1:
            raise RefusedError(
                f"the input is {shape}", "(1, features), (1, C, L) or (1, C, H, W), batch 1"
            )
        return self.builder.input(name, shape)

    def _call_function(self, node: Any) -> Imported:
        if node.target is operator.getitem:
            return self._picked(node)
        if "val" not in node.meta:  # an assertion: it makes no tensor
            return None
        name = str(node.target).removeprefix("aten.")
        if name not in IMPORTERS:
            raise RefusedError("no such op here", INSTEAD.get(name.partition(".")[0], SUPPORTED))
        shape = _shape(node)
        arguments = self._arguments(node)
        if any(isinstance(a, _Broken) for a in arguments.values()):
            return None
        if any(_dtype(source) == torch.int64 for source in node.all_input_nodes):
            raise RefusedError("it computes with indices", "argmax as the last layer")
        self.builder.place = place(node)
        return IMPORTERS[name](self.builder, arguments, shape)

    def _picked(self, node: Any) -> Imported:
        """One part of a split; of other results (indices, statistics) only the first."""
        source, position = node.args
        value = self.values[source.name]
        if isinstance(value, tuple):
            part: Value = value[position]
            return part
        if value is None or position == 0:
            return value
        if node.users:
            raise RefusedError(f"result {position} of {source.name} is used", "the first")
        return None

    def _arguments(self, node: Any) -> dict[str, Any]:
        """The call's arguments by their names in the operator's schema, defaults included."""
        schema = node.target._schema.arguments  # noqa: SLF001  torch has no public name for it
        bound = {a.name: a.default_value for a in schema if a.has_default_value()}
        bound |= {a.name: given for a, given in zip(schema, node.args, strict=False)}
        bound |= node.kwargs
        resolved = {name: self._resolve(given) for name, given in bound.items()}
        kind = str(node.target).removeprefix("aten.").partition(".")[0]
        for name, given in resolved.items():
            operand = name in ("self", "other") and kind in ARITHMETIC
            if isinstance(given, Weight) and name not in WEIGHTS and not operand:
                raise RefusedError(f"its {name!r} is the constant {given.name}", "computed tensors")
        return resolved

    def _resolve(self, given: Any) -> Any:
        if isinstance(given, list):
            several = [self._resolve(one) for one in given]
            return _Broken() if any(isinstance(one, _Broken) for one in several) else several
        if not isinstance(given, torch.fx.Node):
            return given
        value = self.values[given.name]
        return _Broken() if value is None else value

    def _outputs(self, node: Any) -> list[Value]:
        specs = zip(node.args[0], self.signature.output_specs, strict=True)
        given_back = [given for given, spec in specs if spec.kind == USER_OUTPUT]
        outputs: list[Value] = []
        for given in given_back:
            self._guarded(given, partial(self._output, outputs))
        for mutated in self.signature.buffers_to_mutate.values():
            self.problems.sentences.append(
                f"{mutated}: forward writes to this buffer; keep it constant"
            )
        return outputs

    def _output(self, outputs: list[Value], given: Any) -> None:
        """Its elements lie as deployed ones do."""
        value = self._resolve(given)
        if isinstance(value, _Broken):
            return
        if not isinstance(value, Value):
            raise RefusedError(f"an output is {type(value).__name__}", "tensors only")
        self.builder.place = f"{value.name}.output"
        outputs.append(delivered(self.builder, value, outputs))


class _Broken:
    """Stands for a tensor whose own node has been reported already."""


def _dtype(node: Any) -> torch.dtype | None:
    """Of the tensor it makes."""
    return getattr(node.meta.get("val"), "dtype", None)


def _shape(node: Any) -> Shape:
    """The recorded shape, once it is float32 (indices: int64) and static."""
    value = node.meta["val"]
    tensor = value[0] if isinstance(value, tuple | list) else value
    if not isinstance(tensor, torch.Tensor):
        raise RefusedError("it makes a number, not a tensor", "tensors throughout")
    if tensor.dtype != torch.float32 and str(node.target) != "aten.argmax.default":
        raise RefusedError(f"it is {str(tensor.dtype).removeprefix('torch.')}", "float32")
    if not all(isinstance(size, int) for size in tensor.shape):
        raise RefusedError(
            f"its shape {tuple(tensor.shape)} is dynamic", "a static export, batch 1"
        )
    return tuple(tensor.shape)


def call_python(path: Path, factory: str, *arguments: object) -> Any:
    """What a function of the user's file returns; UsageError with its line where it fails."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)  # dataclasses look their module up there
    try:
        with redirect_stdout(sys.stderr):  # ours is for results
            spec.loader.exec_module(module)
            return getattr(module, factory)(*arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001  it is the user's code
        frames = traceback.extract_tb(error.__traceback__)
        place = [
            f", line {f.lineno}" for f in frames if Path(f.filename).resolve() == path.resolve()
        ][-1:]
        raise UsageError(f"{path}:{factory} failed{''.join(place)}: {_brief(error)}") from None
    finally:
        sys.path.pop(0)


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's warnings and logs off the user's terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
