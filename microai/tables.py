# SPDX-License-Identifier: Apache-2.0
"""Tables for people: boards, the support matrix, a network's layers."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from microai.agreement import Agreement, Difference
from microai.board import Board
from microai.choices import Chosen
from microai.diagnose import Diagnosis
from microai.differences import Row
from microai.over_seeds import summaries
from microai.predict.cost import HARNESS
from microai.profiling import Profile
from microai.render import Compiled, macs
from microai.report import number, percent
from microai.sensitivity import Sensitivity
from microai.study import Study
from microai.support import Matrix

LEGEND = """s8, s16, s32, f32: storage of input, _w weights, _y output where these differ;
int: every integer storage; any: floats too; 1d, 2d: axes"""

APART = """in steps of a layer's storage, each layer on our own inputs to it; float32: as it is"""

ERRORS = """against the float network; alone: the layer's integer rule on its float inputs;
largest: in steps of the storage; torch, host, target: elements unlike the integer rules'"""
SCAN = """one layer in integers, all others in float32; SNR: of the network's outputs"""


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
    table = Table("op", *backends, caption=LEGEND)
    for op, support in matrix.items():
        table.add_row(op, *(", ".join(support.get(name, [])) or "-" for name in backends))
    return table


TARGET_COLUMNS = (
    "on target", "mismatches", "instructions", "per MAC", "flash B", "weights B", "arena B",
)  # fmt: skip


def layers_table(compiled: Compiled) -> Table:
    """Shapes, work and kernels."""
    table = Table("layer", "op", "output", "MACs", "backend")
    for column in table.columns:
        column.overflow = "fold"
    for node in compiled.graph.steps:
        shape = "x".join(map(str, node.type.shape))
        work = number(macs(compiled.graph, node))
        choice = compiled.choices[node.name]
        why = f" ({choice.refused})" if choice.refused else ""
        table.add_row(escape(node.name), str(node.op), shape, work, choice.kernel.backend + why)
    return table


def study_table(study: Study) -> Table:
    """A line for each width and format, over its seeds; without a target, of accuracy alone."""
    title = f"{study.what.title}, judged on {study.judged_on}"
    table = Table("filters", "format", title=escape(title), title_justify="left")
    ran = any(row.report for row in study.rows)
    columns = ("seeds", "samples", "accuracy", "deviation", *(TARGET_COLUMNS if ran else ()))
    for name in columns:
        table.add_column(name, justify="right")
    for group in summaries(study.rows):
        cells = [group.seeds, group.samples, percent(group.mean), group.spread]
        counts = (group.on_target, group.mismatches, group.instructions)
        sizes = (group.flash_bytes, group.weights_bytes, group.arena_bytes)
        facts = [*map(number, counts), group.per_mac, *map(number, sizes)] if ran else []
        table.add_row(str(group.filters), group.format, *map(str, cells), *facts)
    return table


def agreement_table(agreement: Agreement) -> Table:
    """A line for each layer on our inputs to it, then the outputs of the whole."""
    title = f"{agreement.oracle} on {agreement.samples} samples"
    table = Table("layer", "op", title=escape(title), title_justify="left", caption=APART)
    for column in table.columns:
        column.overflow = "fold"
    for name in ("largest difference", "share that differs"):
        table.add_column(name, justify="right")
    for layer in agreement.layers:
        table.add_row(escape(layer.name), layer.op, *_apart(layer))
    table.add_section()
    for output in agreement.outputs:
        table.add_row(escape(output.name), "whole network", *_apart(output))
    return table


def _apart(difference: Difference) -> tuple[str, str]:
    return f"{difference.largest:.3g}", percent(difference.share)


def diagnosis_table(diagnosis: Diagnosis) -> Table:
    """A line for each input and layer, then how many elements differ in all."""
    title = f"{diagnosis.model}, {diagnosis.scheme}, {diagnosis.samples} samples"
    table = Table("layer", "op", "storage", title=escape(title), title_justify="left",
                  caption=ERRORS)  # fmt: skip
    table.columns[0].overflow = "fold"
    executed = diagnosis.executions
    columns = ("SNR dB", "alone dB", "cosine", "largest", "saturated", *(e.name for e in executed))
    for name in columns:
        table.add_column(name, justify="right")
    for row in diagnosis.rows:
        counts = (number(one.differing.get(row.name)) for one in executed)
        table.add_row(escape(row.name), row.op, row.storage, *_figures(row), *counts)
    if executed:
        table.add_section()
        table.add_row("all, conversions too", *[""] * 7, *(number(e.total) for e in executed))
    return table


def _figures(row: Row) -> tuple[str, ...]:
    return (
        f"{row.snr_db:.2f}", f"{row.own_snr_db:.2f}", f"{row.cosine:.6f}",
        "-" if row.largest_steps is None else f"{row.largest_steps:.2f}",
        "-" if row.saturation is None else percent(row.saturation),
    )  # fmt: skip


def scan_table(scan: Sequence[Sensitivity]) -> Table:
    """A line for each layer, in each scheme its figures."""
    table = Table("layer", "scheme", caption=SCAN)
    table.columns[0].overflow = "fold"
    for name in ("SNR dB", "accuracy", "weights B"):
        table.add_column(name, justify="right")
    for row in scan:
        figures = (f"{row.snr_db:.2f}", percent(row.accuracy), f"{row.weights_bytes:,}")
        table.add_row(escape(row.layer), row.scheme, *figures)
    return table


FUNCTIONS = 12  # of the largest are shown


def functions_table(profile: Profile) -> Table:
    """The functions that take the most."""
    table = Table("function")
    table.columns[0].overflow = "fold"
    cycles = profile.prediction.cycles
    shown = ("cycles", "waits") if cycles is not None else ()
    for name in ("instructions", *shown, "share"):
        table.add_column(name, justify="right")
    own = [item for item in profile.functions.items() if item[0] != HARNESS]
    for name, cost in own[:FUNCTIONS]:
        counts = (cost.instructions, cost.cycles, cost.stall_cycles)[: 1 + len(shown)]
        whole, part = (cycles, cost.cycles) if shown else (profile.instructions, cost.instructions)
        table.add_row(escape(name), *map(number, counts), f"{(part or 0) / (whole or 1):.1%}")
    return table


def choices_tables(chosen: Chosen) -> tuple[Table, Table]:
    """The steps, and the whole networks."""
    title = f"{chosen.goal} on {chosen.board} at {chosen.clock_hz / 1e6:g} MHz"
    steps = Table("layer", "kernel", "why", title=escape(title), title_justify="left")
    for column in steps.columns:
        column.overflow = "fold"
    for name, step in chosen.steps.items():
        steps.add_row(escape(name), step.kernel, escape(step.reason))
    wholes = Table("network", caption=escape(chosen.basis))
    for name in ("cycles", "ms", "flash B", "RAM B", "arena B"):
        wholes.add_column(name, justify="right")
    for one in (*chosen.preferences, chosen.found):
        sizes = map(number, (one.flash_bytes, one.ram_bytes, one.arena_bytes))
        wholes.add_row(one.name, number(one.cycles), f"{one.latency_ms:.3f}", *sizes)
    return steps, wholes
