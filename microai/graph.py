# SPDX-License-Identifier: Apache-2.0
"""The one intermediate representation: nodes in execution order, outputs, weights.

One node makes one tensor, and the node's name is the tensor's name. Everything is frozen:
a pass returns a new graph.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import Parameter, signature
from typing import Literal

import numpy as np

from microai.errors import UnsupportedError
from microai.op import Const, Input, Op, Source
from microai.types import Array, Quant, TensorType

Place = Literal["flash", "arena", "ram", "state"]
"""Where a tensor lives: constants in flash, or copied to ram at start; activations in the shared
arena, or in state, which keeps its value from one inference to the next."""


@dataclass(frozen=True)
class Node:
    """One op applied to named inputs."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: TensorType
    place: Place = "arena"


@dataclass(frozen=True)
class Graph:
    """A network. `weights` has the array of every Const node, by name."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Array]

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes the caller fills, in order."""
        return tuple(n for n in self.nodes if isinstance(n.op, Input))

    @property
    def consts(self) -> tuple[Node, ...]:
        """The nodes whose value is in `weights`."""
        return tuple(n for n in self.nodes if isinstance(n.op, Const))

    @property
    def steps(self) -> tuple[Node, ...]:
        """The nodes that compute something, in order."""
        return tuple(n for n in self.nodes if not isinstance(n.op, Source))

    def types(self, node: Node) -> tuple[TensorType, ...]:
        """Types of a node's inputs."""
        return tuple(self[name].type for name in node.inputs)

    def users(self, name: str) -> tuple[Node, ...]:
        """The nodes that read `name`."""
        return tuple(n for n in self.nodes if name in n.inputs)

    def only_user(self, name: str) -> bool:
        """Whether exactly one node reads `name` and the caller does not."""
        return len(self.users(name)) == 1 and name not in self.outputs

    def __str__(self) -> str:
        """One line a node: the text that golden files hold."""
        return "\n".join([*map(_line, self.nodes), f"return {', '.join(self.outputs)}"])


Pass = Callable[[Graph], Graph]


def _line(node: Node) -> str:
    shape = "x".join(map(str, node.type.shape))
    return f"{node.name} = {node.op!r}({', '.join(node.inputs)}): {node.type.dtype} {shape}"


def apply(graph: Graph, passes: Iterable[Pass]) -> Graph:
    """Run passes in order; drop what died and verify after each."""
    for run in passes:
        graph = drop_dead(run(graph))
        verify(graph)
    return graph


def verify(graph: Graph) -> None:
    """Raise UnsupportedError unless every name, shape and weight is consistent."""
    seen: dict[str, TensorType] = {}
    for node in graph.nodes:
        _verify_node(node, graph, seen)
        seen[node.name] = node.type
    if len(set(graph.outputs)) < len(graph.outputs):
        raise UnsupportedError(f"outputs are {graph.outputs}, expected each once")
    for name in graph.outputs:
        if name not in seen or isinstance(graph[name].op, Source):
            raise UnsupportedError(f"output {name!r} is not computed by the graph")


def _verify_node(node: Node, graph: Graph, seen: Mapping[str, TensorType]) -> None:
    if node.name in seen:
        raise UnsupportedError(f"{node.name!r} is defined twice")
    if missing := [name for name in node.inputs if name not in seen]:
        raise UnsupportedError(f"{node.name!r} reads {missing[0]!r}, which no earlier node makes")
    _verify_arity(node)
    shape = node.op.infer(*(seen[name] for name in node.inputs)).shape
    if shape != node.type.shape:
        raise UnsupportedError(f"{node.name!r} is {node.type.shape}, its op gives {shape}")
    _verify_place(node)
    for position, name in enumerate(node.inputs):
        _verify_operand(node, position, seen[name].quant, constant=name in graph.weights)
    _verify_storage(node, tuple(seen[name].quant for name in node.inputs))
    if isinstance(node.op, Const):
        _verify_weight(node, graph.weights.get(node.name))


def _verify_arity(node: Node) -> None:
    """As many inputs as `infer` has parameters; `*xs` are two or more."""
    parameters = signature(node.op.infer).parameters.values()
    wanted, count = str(len(parameters)), len(node.inputs)
    fits = count == len(parameters)
    if any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        wanted, fits = "2 or more", count >= 2
    if not fits:
        raise UnsupportedError(f"{node.name!r}: {node.op} takes {wanted} inputs, not {count}")


def _verify_place(node: Node) -> None:
    places = ("flash", "ram") if isinstance(node.op, Const) else ("arena", "state")
    if node.place not in places:
        raise UnsupportedError(f"{node.name!r} is in {node.place}, expected {' or '.join(places)}")


def _verify_operand(node: Node, position: int, quant: Quant | None, *, constant: bool) -> None:
    """In integers weights are constants, what they weigh is none; only weights have 4 bits."""
    weight = position in node.op.CHANNEL_AXIS
    if quant and quant.dtype == "int4" and not weight:
        raise UnsupportedError(f"{node.name!r} reads {node.inputs[position]!r}, which is int4")
    if quant and node.op.CHANNEL_AXIS and constant != weight:
        kind, wanted = ("computed", "a constant") if weight else ("a constant", "an activation")
        raise UnsupportedError(
            f"{node.name!r}: {node.inputs[position]!r} is {kind}, {node.op} needs {wanted} there"
        )


def _verify_storage(node: Node, inputs: tuple[Quant | None, ...]) -> None:
    """Integers and floats meet in conversions only; the storage is what the op insists on."""
    out = node.type.quant
    if out is None or None in inputs:
        if not node.op.CONVERTS and {out, *inputs} != {None} and inputs:
            raise UnsupportedError(f"{node.name!r} mixes integers and floats; convert first")
        return
    quants = [quant for quant in inputs if quant]
    operands = {q.dtype for i, q in enumerate(quants) if i not in node.op.CHANNEL_AXIS}
    if len(operands) > 1:
        raise UnsupportedError(f"{node.name!r} mixes {' and '.join(sorted(operands))}")
    _verify_activation(node, out)
    for position, quant in enumerate(quants):
        axis = node.op.CHANNEL_AXIS.get(position)
        if (axis is None and len(quant.scale) > 1) or (axis is not None and quant.zero):
            raise UnsupportedError(f"{node.inputs[position]!r} is {quant}, which {node.op} bars")
    if inputs:
        _verify_insisted(node, quants, out)


def _verify_activation(node: Node, out: Quant) -> None:
    if isinstance(node.op, Const):
        return
    if len(out.scale) > 1:
        raise UnsupportedError(f"{node.name!r} has {len(out.scale)} scales, expected one")
    if out.dtype == "int4":
        raise UnsupportedError(f"{node.name!r} is int4, which is for weights")


def _verify_insisted(node: Node, quants: list[Quant], out: Quant) -> None:
    wish = node.op.storage(*quants, out)
    for position, quant in wish.inputs.items():
        if quants[position] != quant:
            raise UnsupportedError(
                f"{node.inputs[position]!r} is {quants[position]}, {node.name!r} insists on {quant}"
            )
    if wish.out and out != wish.out:
        raise UnsupportedError(f"{node.name!r} is {out}, its op insists on {wish.out}")


def _verify_weight(node: Node, array: Array | None) -> None:
    if array is None:
        raise UnsupportedError(f"weight {node.name!r} has no array")
    if array.shape != node.type.shape or str(array.dtype) != node.type.element:
        raise UnsupportedError(
            f"weight {node.name!r} is {array.dtype} {array.shape}, "
            f"its node says {node.type.element} {node.type.shape}"
        )
    quant = node.type.quant
    if quant and array.size and not quant.low <= array.min() <= array.max() <= quant.high:
        raise UnsupportedError(
            f"weight {node.name!r} holds {array.min()} to {array.max()}, over {quant.dtype}"
        )
    if quant and len(quant.scale) not in (1, array.shape[quant.axis]):
        raise UnsupportedError(
            f"weight {node.name!r} has {len(quant.scale)} scales for {array.shape}"
        )
    if bad := array.size - int(np.isfinite(array).sum()):
        raise UnsupportedError(
            f"weight {node.name!r} has {bad} NaN or infinite values of {array.size}; "
            "train again, or load a checkpoint from before it diverged"
        )


def drop_dead(graph: Graph) -> Graph:
    """Remove nodes and weights that no output needs; inputs stay."""
    alive = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in alive:
            alive.update(node.inputs)
    nodes = tuple(n for n in graph.nodes if n.name in alive or isinstance(n.op, Input))
    names = {n.name for n in nodes if isinstance(n.op, Const)}
    return replace(graph, nodes=nodes, weights={k: graph.weights[k] for k in sorted(names)})


def replace_node(graph: Graph, *nodes: Node) -> Graph:
    """Each given node takes the place of the one with its name."""
    new = {node.name: node for node in nodes}
    return replace(graph, nodes=tuple(new.get(n.name, n) for n in graph.nodes))


def insert_before(graph: Graph, name: str, *nodes: Node) -> Graph:
    """Put nodes in front of `name`."""
    at = next(i for i, n in enumerate(graph.nodes) if n.name == name)
    return replace(graph, nodes=(*graph.nodes[:at], *nodes, *graph.nodes[at:]))


def bypass(graph: Graph, name: str) -> Graph:
    """Readers of node `name` read its first input instead; not for an output of the graph."""
    source = graph[name].inputs[0]

    def reroute(node: Node) -> Node:
        return replace(node, inputs=tuple(source if i == name else i for i in node.inputs))

    return replace(graph, nodes=tuple(reroute(n) for n in graph.nodes if n.name != name))


def absorb(graph: Graph, name: str, op: Op, inputs: tuple[str, ...]) -> Graph:
    """Node `name` and the node it reads become one, doing `op` on `inputs`.

    The merged node has the earlier name, unless the later one is an output of the graph.
    """
    later = graph[name]
    earlier = graph[later.inputs[0]]
    if name in graph.outputs:
        return replace_node(graph, replace(later, op=op, inputs=inputs))
    merged = replace(earlier, op=op, inputs=inputs, type=later.type)
    return bypass(replace_node(graph, merged), name)


def add_const(graph: Graph, before: str, name: str, array: Array) -> Graph:
    """A new float Const node in front of `before`."""
    node = Node(name, Const(array.shape), (), TensorType(array.shape), place="flash")
    weights = {**graph.weights, name: array}
    return insert_before(replace(graph, weights=weights), before, node)
