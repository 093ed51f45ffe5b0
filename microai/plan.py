# SPDX-License-Identifier: Apache-2.0
"""Where every activation lives: live ranges to byte offsets in one arena.

Tensors whose kernel may write over its input share a buffer; a kernel's scratch is a buffer alive
for one step; state tensors have bytes of their own behind the shared ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from microai.graph import Graph, Node

ALIGN = 4  # LDRD faults on anything less on Cortex-M4


@dataclass(frozen=True)
class Buffer:
    """Bytes that some tensors share from step `start` to step `end`, both included."""

    names: tuple[str, ...]
    bytes: int
    start: int
    end: int


@dataclass(frozen=True)
class Plan:
    """Byte offsets of activations and of scratch, by node name.

    `arena_bytes` is all the caller provides; the last `state_bytes` of it keep their value.
    `lower_bound_bytes` is the busiest step's sum: no placement can need less.
    """

    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    arena_bytes: int
    state_bytes: int
    lower_bound_bytes: int


def plan(graph: Graph, scratch_bytes: Mapping[str, int]) -> Plan:
    """Place every tensor; `scratch_bytes` says what each node's kernel asks for."""
    buffers = live_buffers(graph)
    scratch = {
        node.name: Buffer((), aligned(scratch_bytes[node.name]), step, step)
        for step, node in enumerate(graph.steps)
        if scratch_bytes.get(node.name)
    }
    together = [*buffers, *scratch.values()]
    placed = min((_place(together, order) for order in ORDERS), key=_top)
    offsets = {name: at for buffer, at in placed.items() for name in buffer.names}
    shared = _top(placed)
    states, total = _states(graph, shared)
    return Plan(
        offsets={**offsets, **states},
        scratch={name: placed[buffer] for name, buffer in scratch.items()},
        arena_bytes=total,
        state_bytes=total - shared,
        lower_bound_bytes=_busiest(together) + total - shared,
    )


def live_buffers(graph: Graph) -> list[Buffer]:
    """The arena's buffers; an output takes its input's where the op and the readers allow."""
    steps = {node.name: i for i, node in enumerate(graph.steps)}
    last = {node.name: _last_use(graph, node, steps) for node in graph.nodes}
    buffers: dict[str, Buffer] = {}
    for node in (n for n in graph.nodes if n.place == "arena"):
        start = steps.get(node.name, 0)
        new = Buffer((node.name,), aligned(node.type.bytes), start, last[node.name])
        if (host := _host(graph, node, buffers, start)) is not None:
            old = buffers[host]
            new = Buffer((*old.names, node.name), old.bytes, old.start, last[node.name])
        for name in new.names:
            buffers[name] = new
    return list(dict.fromkeys(buffers.values()))


def live_bytes(graph: Graph) -> list[int]:
    """Of each step, the bytes that are alive besides its scratch."""
    buffers = live_buffers(graph)
    return [
        sum(b.bytes for b in buffers if b.start <= step <= b.end)
        for step in range(len(graph.steps))
    ]


def _last_use(graph: Graph, node: Node, steps: Mapping[str, int]) -> int:
    """The last step that needs the tensor; outputs stay to the end."""
    if node.name in graph.outputs:
        return len(steps)
    uses = [steps[user.name] for user in graph.users(node.name)]
    return max(uses, default=steps.get(node.name, 0))


def _host(graph: Graph, node: Node, buffers: Mapping[str, Buffer], step: int) -> str | None:
    """An input whose buffer the node may write over: alive until this step, and large enough."""
    may = node.op.overwrites(*graph.types(node), node.type) if node.inputs else ()
    for name in (node.inputs[i] for i in may):
        buffer = buffers.get(name)
        if buffer and buffer.end == step and buffer.bytes >= aligned(node.type.bytes):
            return name
    return None


def aligned(size: int) -> int:
    """`size` rounded up to the arena's alignment."""
    return -(-size // ALIGN) * ALIGN


Order = Callable[[Buffer], tuple[int, ...]]
ORDERS: tuple[Order, ...] = (
    lambda b: (-b.bytes, b.start),
    lambda b: (b.start, -b.bytes),
    lambda b: (-(b.end - b.start), -b.bytes, b.start),
    lambda b: (-b.bytes * (b.end - b.start + 1), b.start),
    lambda b: (-b.end, -b.bytes),
)
"""Greedy placement depends on the order; the best of these is taken."""


def _place(buffers: Sequence[Buffer], order: Order) -> dict[Buffer, int]:
    """Each buffer at the lowest offset free during its whole life."""
    placed: dict[Buffer, int] = {}
    for buffer in sorted(buffers, key=order):
        taken = sorted(
            (at, at + other.bytes)
            for other, at in placed.items()
            if other.start <= buffer.end and buffer.start <= other.end
        )
        offset = 0
        for start, end in taken:
            if offset + buffer.bytes <= start:
                break
            offset = max(offset, end)
        placed[buffer] = offset
    return placed


def _top(placed: Mapping[Buffer, int]) -> int:
    return max((at + buffer.bytes for buffer, at in placed.items()), default=0)


def _busiest(buffers: Sequence[Buffer]) -> int:
    """The largest sum of bytes alive at one step."""
    steps = range(max((b.end for b in buffers), default=-1) + 1)
    return max((sum(b.bytes for b in buffers if b.start <= i <= b.end) for i in steps), default=0)


def _states(graph: Graph, offset: int) -> tuple[dict[str, int], int]:
    """State tensors one after the other from `offset`, and where they end."""
    states: dict[str, int] = {}
    for node in (n for n in graph.nodes if n.place == "state"):
        states[node.name] = offset
        offset += aligned(node.type.bytes)
    return states, offset
