# SPDX-License-Identifier: Apache-2.0
"""What a run measured, as JSON and as tables. What is unknown is None, never 0."""

from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from microai.predict.prediction import Prediction

Share = float | None


@dataclass(frozen=True)
class ModelFacts:
    """A network's size; parameters are weights and biases as imported and folded."""

    name: str
    macs: int
    parameters: int


@dataclass(frozen=True)
class Metric:
    """The same figure on the same samples for the float network and on the target."""

    name: str
    float: Share
    target: Share


@dataclass(frozen=True)
class Layer:
    """One step; instructions are the largest count over the samples stepped through, cycles are
    predicted, of one sample.
    """

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int | None
    cycles: int | None = None
    stall_cycles: int | None = None


@dataclass(frozen=True)
class Report:
    """A deployment. Flash and RAM are the whole image's, the harness figures the same image's
    without a model; `libraries` are the installed ones that it was built with.
    """

    schema: str
    model: ModelFacts
    board: str
    runner: Literal["qemu", "serial"]
    scheme: str
    samples: int
    mismatches: int
    bit_exact: bool | None
    metric: Metric | None
    flash_bytes: int
    code_bytes: int
    weights_bytes: int
    ram_bytes: int
    arena_bytes: int
    arena_lower_bound_bytes: int
    stack_bytes: int | None
    harness_flash_bytes: int
    harness_ram_bytes: int
    instructions: int | None
    prediction: Prediction
    elf: str | None
    sources: str | None
    libraries: tuple[str, ...]
    layers: tuple[Layer, ...]

    def to_json(self) -> dict[str, object]:
        """The report as one object: the prediction's fields stand among the others."""
        own = asdict(self)
        before = list(own).index("prediction")
        items = list(own.items())
        return dict([*items[:before], *own["prediction"].items(), *items[before + 1 :]])


def print_report(report: Report, console: Console) -> None:
    """The report for people."""
    console.print(costs_table(report))
    for label, text in _facts(report):
        console.print(f"[bold]{label:<14}[/bold]{escape(text)}", highlight=False, soft_wrap=True)


class Costed(Protocol):
    """What a report and a profile have in common: a network on a board, with what it takes."""

    @property
    def model(self) -> ModelFacts: ...  # noqa: D102
    @property
    def board(self) -> str: ...  # noqa: D102
    @property
    def scheme(self) -> str: ...  # noqa: D102
    @property
    def instructions(self) -> int | None: ...  # noqa: D102
    @property
    def prediction(self) -> Prediction: ...  # noqa: D102
    @property
    def layers(self) -> tuple[Layer, ...]: ...  # noqa: D102


def costs_table(found: Costed) -> Table:
    """A row for each layer and one for all; cycles have columns where they are known."""
    title = f"{found.model.name} on {found.board}, {found.scheme}"
    table = Table("layer", "op", "backend", title=escape(title), title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    cycles, stalls = found.prediction.cycles, found.prediction.stall_cycles
    for name in COST_COLUMNS if cycles is not None else COST_COLUMNS[:3]:
        table.add_column(name, justify="right")
    for layer in found.layers:
        costs = _costs(layer.macs, layer.instructions, layer.cycles, layer.stall_cycles)
        backend, plus, variant = layer.kernel.partition("+")
        backend = backend.partition("/")[0] + plus + variant
        table.add_row(escape(layer.name), layer.op, backend, *costs)
    table.add_section()
    whole = _costs(found.model.macs, found.instructions, cycles, stalls)
    table.add_row("inference", "", "", *whole)
    return table


COST_COLUMNS = ("MACs", "instructions", "per MAC", "cycles", "waits", "per MAC")


def _costs(
    macs: int, instructions: int | None, cycles: int | None, stalls: int | None
) -> tuple[str, ...]:
    """The cells of COST_COLUMNS; the last three only where cycles are known."""
    counts = (f"{macs:,}", number(instructions), _ratio(instructions, macs))
    if cycles is None:
        return counts
    return (*counts, number(cycles), number(stalls), _ratio(cycles, macs))


def _facts(report: Report) -> list[tuple[str, str]]:
    emulated = " in QEMU" if report.runner == "qemu" else ""
    flash = (
        f"{report.flash_bytes:,} B: weights {report.weights_bytes:,}, "
        f"code {report.code_bytes:,} (harness alone {report.harness_flash_bytes:,})"
    )
    ram = (
        f"{report.ram_bytes:,} B: arena {report.arena_bytes:,} "
        f"(lower bound {report.arena_lower_bound_bytes:,}), stack peak "
        f"{number(report.stack_bytes)} (harness alone {report.harness_ram_bytes:,})"
    )
    facts = [
        ("exact", _exactness(report) + emulated),
        ("flash", flash),
        ("RAM", ram),
        *prediction_facts(report.prediction),
    ]
    facts += [("library", text) for text in report.libraries]
    if report.sources:
        facts.append(("files", report.sources))
    return ([("accuracy", _metric(report.metric))] if report.metric else []) + facts


def prediction_facts(found: Prediction) -> list[tuple[str, str]]:
    """Latency and energy with what they rest on."""
    if found.latency_ms is None or found.cycles is None or found.stall_cycles is None:
        return [("latency", found.latency_basis), ("energy", found.energy_basis)]
    latency = f"{found.latency_ms:.3f} ms, {found.latency_basis}"
    cycles = f"{found.cycles:,}, of them {found.stall_cycles:,} waits for flash"
    facts = [("cycles", cycles), ("latency", latency), ("known error", str(found.latency_error))]
    energy = "" if found.energy_uj is None else f"{found.energy_uj:,.1f} uJ, {found.energy_kind}: "
    return [*facts, ("energy", energy + found.energy_basis)]


def _metric(metric: Metric) -> str:
    return f"float {percent(metric.float)}, target {percent(metric.target)}"


def _exactness(report: Report) -> str:
    if report.bit_exact is None:
        return (
            f"{report.mismatches} outputs beyond 1e-5 of the float rule, {report.samples} samples"
        )
    verdict = "every output equal to the integer rules" if report.bit_exact else "OUTPUTS DIFFER"
    return f"{verdict}: {report.mismatches} mismatches, {report.samples} samples"


def number(value: int | None) -> str:
    """With thousands, or a dash."""
    return "-" if value is None else f"{value:,}"


def percent(share: Share) -> str:
    """With two decimals, or `unknown`."""
    return "unknown" if share is None else f"{share:.2%}"


def _ratio(instructions: int | None, macs: int) -> str:
    return f"{instructions / macs:.2f}" if instructions is not None and macs else "-"
