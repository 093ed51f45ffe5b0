# SPDX-License-Identifier: Apache-2.0
"""Tables for people: boards, the support matrix, a network's layers."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from microai.board import Board
from microai.render import Compiled, macs
from microai.report import number
from microai.support import Matrix


def boards_table(boards: Sequence[Board]) -> Table:
    """Memory and clocks."""
    table = Table("board", "what", "chip", "flash KiB", "RAM KiB", "MHz")
    for column in table.columns:
        column.overflow = "fold"
    for board in boards:
        sizes = [str(r.bytes // 1024) for r in (board.memory.flash, board.memory.ram)]
        clocks = ", ".join(f"{clock.hz / 1e6:g}" for clock in board.clocks)
        table.add_row(board.name, board.title, board.chip, *sizes, clocks)
    return table


def support_table(matrix: Matrix, backends: Sequence[str]) -> Table:
    """What each backend runs, in which storage."""
    table = Table("op", *backends)
    for op, support in matrix.items():
        table.add_row(op, *(", ".join(support.get(name, [])) or "-" for name in backends))
    return table


def layers_table(compiled: Compiled) -> Table:
    """Shapes, work and kernels."""
    table = Table("layer", "op", "output", "MACs", "backend")
    for column in table.columns:
        column.overflow = "fold"
    for node in compiled.graph.steps:
        shape = "x".join(map(str, node.type.shape))
        work = number(macs(compiled.graph, node))
        backend = compiled.choices[node.name].kernel.backend
        table.add_row(escape(node.name), str(node.op), shape, work, backend)
    return table
