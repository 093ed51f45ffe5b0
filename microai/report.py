# SPDX-License-Identifier: Apache-2.0
"""What a run measured, as JSON and as tables. What is unknown is None, never 0."""

from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

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
    """One step; instructions are the largest count over the samples stepped through."""

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int | None


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
    latency_ms: float | None
    latency_kind: Literal["measured", "predicted"] | None
    energy_uj: float | None
    energy_kind: Literal["measured", "predicted", "user"] | None
    elf: str | None
    sources: str | None
    libraries: tuple[str, ...]
    layers: tuple[Layer, ...]

    def to_json(self) -> dict[str, object]:
        """The report as one object."""
        return asdict(self)


def print_report(report: Report, console: Console) -> None:
    """The report for people."""
    console.print(_layers(report))
    for label, text in _facts(report):
        console.print(f"[bold]{label:<14}[/bold]{escape(text)}", highlight=False, soft_wrap=True)


def _layers(report: Report) -> Table:
    title = f"{report.model.name} on {report.board}, {report.scheme}"
    table = Table("layer", "op", "backend", title=escape(title), title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    for name in ("MACs", "instructions", "per MAC"):
        table.add_column(name, justify="right")
    for layer in report.layers:
        table.add_row(
            escape(layer.name), layer.op, layer.kernel.partition("/")[0], f"{layer.macs:,}",
            number(layer.instructions), _ratio(layer.instructions, layer.macs),
        )  # fmt: skip
    table.add_section()
    total = report.instructions
    table.add_row(
        "inference",
        "",
        "",
        f"{report.model.macs:,}",
        number(total),
        _ratio(total, report.model.macs),
    )
    return table


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
    latency = "not measured: emulated"
    if report.latency_ms is not None:
        latency = f"{report.latency_ms:.3f} ms, {report.latency_kind}"
    facts = [
        ("exact", _exactness(report) + emulated),
        ("flash", flash),
        ("RAM", ram),
        ("latency", latency),
    ]
    facts += [("library", text) for text in report.libraries]
    if report.sources:
        facts.append(("files", report.sources))
    return ([("accuracy", _metric(report.metric))] if report.metric else []) + facts


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
