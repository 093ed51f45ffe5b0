# SPDX-License-Identifier: Apache-2.0
"""Does a model fit a board: bytes over, what is largest, what would help."""

from microai.board import Board
from microai.errors import DoesNotFitError
from microai.plan import live_buffers
from microai.render import STACK_BYTES, Compiled

LARGEST = 3


def check_fit(compiled: Compiled, board: Board) -> None:
    """Raise DoesNotFitError when weights or arena alone exceed the board, without building."""
    ram = compiled.plan.arena_bytes + STACK_BYTES - board.memory.ram.bytes
    flash = compiled.weights_bytes - board.memory.flash.bytes
    if ram > 0:
        raise too_large(compiled, board, "ram", ram)
    if flash > 0:
        raise too_large(compiled, board, "flash", flash)


def too_large(compiled: Compiled, board: Board, region: str, over: int) -> DoesNotFitError:
    """The error for an image that is `over` bytes larger than a region."""
    capacity = board.memory.ram.bytes if region == "ram" else board.memory.flash.bytes
    tensors = _activations(compiled) if region == "ram" else _weights(compiled)
    named = ", ".join(f"{name} {size:,} B" for name, size in tensors)
    return DoesNotFitError(
        f"{compiled.name} is {over:,} bytes too large for {board.name}'s {region} "
        f"({capacity:,} B); {'live together' if region == 'ram' else 'largest'}: {named}; "
        f"try {_advice(compiled, region)}"
    )


def _activations(compiled: Compiled) -> list[tuple[str, int]]:
    """The largest tensors of the busiest step."""
    buffers = live_buffers(compiled.graph)
    steps = range(max(b.end for b in buffers) + 1)
    alive = [[b for b in buffers if b.start <= step <= b.end] for step in steps]
    busiest = max(alive, key=lambda bs: sum(b.bytes for b in bs))
    return sorted(((b.names[0], b.bytes) for b in busiest), key=lambda item: -item[1])[:LARGEST]


def _weights(compiled: Compiled) -> list[tuple[str, int]]:
    sizes = [(c.name, c.type.bytes) for c in compiled.graph.consts]
    return sorted(sizes, key=lambda item: -item[1])[:LARGEST]


def _advice(compiled: Compiled, region: str) -> str:
    ideas = [] if any(n.type.quant for n in compiled.graph.nodes) else ["--scheme int8"]
    ideas += ["a smaller input", "an earlier stride"] if region == "ram" else []
    return ", ".join([*ideas, "fewer channels", "a larger board"])
