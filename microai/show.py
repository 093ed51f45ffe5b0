# SPDX-License-Identifier: Apache-2.0
"""Results of commands: on stdout for people or as JSON, and as files."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from microai.choices import Chosen, choices_json
from microai.datasets.dataset import contents
from microai.diagnose import Diagnosis
from microai.errors import MismatchError
from microai.exchange import Exported
from microai.facts import check_facts, check_layers
from microai.files import write_file, write_npz
from microai.graph import Graph
from microai.pipeline import Deployment
from microai.profiling import Profile
from microai.quantize.scheme import scheme_of
from microai.render import Compiled
from microai.report import costs_table, percent, prediction_facts, print_report
from microai.study import Study
from microai.tables import (
    agreement_table,
    choices_tables,
    diagnosis_table,
    functions_table,
    layers_table,
    scan_table,
    study_table,
)
from microai.tuning import Tuned
from microai.types import Arrays

stderr = Console(stderr=True)
stdout = Console(width=None if sys.stdout.isatty() else 160)  # a pipe has room for every name


def tell(line: str) -> None:
    """A line of progress."""
    stderr.print(escape(line), style="dim", highlight=False, soft_wrap=True)


def show_deployment(done: Deployment, *, as_json: bool) -> None:
    """The report; MismatchError after it when outputs differ."""
    if as_json:
        print(json.dumps(done.report.to_json()))  # noqa: T201  rich would wrap it
    else:
        print_report(done.report, stdout)
    if wrong := done.report.mismatches:
        raise MismatchError(f"{wrong} values on the target differ from the reference")


def show_profile(found: Profile, *, as_json: bool) -> None:
    """The layers, the functions, and the whole."""
    if as_json:
        print(json.dumps(found.to_json()))  # noqa: T201  rich would wrap it
        return
    stdout.print(costs_table(found))
    if found.functions:
        stdout.print(functions_table(found))
    sizes = (
        f"flash {found.flash_bytes:,} B, RAM {found.ram_bytes:,} B, arena {found.arena_bytes:,} B"
    )
    for label, text in (("image", sizes), *prediction_facts(found.prediction)):
        stdout.print(f"[bold]{label:<14}[/bold]{escape(text)}", highlight=False, soft_wrap=True)


def show_choices(chosen: Chosen, out: Path, *, as_json: bool) -> None:
    """What each step takes and why, then the networks that were compared."""
    if as_json:
        print(choices_json(chosen).decode())  # noqa: T201  rich would wrap it
        return
    for table in choices_tables(chosen):
        stdout.print(table)
    stdout.print(f"{out}: for --choices of deploy, generate and profile", highlight=False,
                 markup=False, soft_wrap=True)  # fmt: skip


def save_tensors(done: Deployment, output: Path, layers: Path | None) -> None:
    """Raw outputs, and every layer where a file is given."""
    outputs = done.measured.outputs
    if len(outputs) == 1:
        (array,) = outputs.values()
        write_file(output, lambda file: np.save(file, array, allow_pickle=False))
    else:
        write_npz(output, outputs)
    if layers:
        write_npz(layers, done.measured.layers)


def show_check(
    compiled: Compiled, board: str | None, fit: bool | None, *, as_json: bool
) -> None:  # fmt: skip
    """The layers and what they cost."""
    facts = check_facts(compiled, board, fit)
    if as_json:
        print(json.dumps({**facts, "layers": check_layers(compiled)}))  # noqa: T201  as above
        return
    stdout.print(layers_table(compiled))
    for label, value in facts.items():
        if value is not None:
            stdout.print(f"{label}: {value}", highlight=False, markup=False)


def show_study(study: Study, *, as_json: bool) -> None:
    """The table; MismatchError after it when outputs differ."""
    if as_json:
        print(json.dumps(study.to_json()))  # noqa: T201  rich would wrap it
    else:
        stdout.print(study_table(study))
    wrong = sum(row.report["mismatches"] for row in study.rows if row.report)
    if wrong:
        raise MismatchError(f"{wrong} values on the target differ from the reference")


def show_quantized(graph: Graph, out: Path, tuned: Tuned | None, *, as_json: bool) -> None:
    """The file, and what training on was good for."""
    facts = {"schema": "microai.quantize/1", "file": str(out), "scheme": scheme_of(graph)}
    if as_json:
        shares = tuned and {
            "samples": tuned.samples, "float": tuned.float_accuracy, "integers": tuned.accuracy,
        }  # fmt: skip
        print(json.dumps({**facts, "held_out": shares}))  # noqa: T201  rich would wrap it
        return
    if tuned:
        stdout.print(
            f"of {tuned.samples} samples held out: float {percent(tuned.float_accuracy)}, "
            f"in integers {percent(tuned.accuracy)}", highlight=False,
        )  # fmt: skip
    stdout.print(f"{out}: {facts['scheme']}", highlight=False, markup=False, soft_wrap=True)


def show_data(files: Mapping[Path, Arrays], *, as_json: bool) -> None:
    """What each file of a data set holds."""
    if as_json:
        rows = [{"file": str(file), **contents(arrays)} for file, arrays in files.items()]
        print(json.dumps({"schema": "microai.data/1", "files": rows}))  # noqa: T201  as above
        return
    for file, arrays in files.items():
        number_of = contents(arrays)["groups"]
        groups = f", {number_of} groups" if number_of else ""
        x, count = arrays["X"], len(arrays["classes"])
        line = f"{file}: X {x.dtype} {x.shape}, {count} classes{groups}"
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)


def show_export(exported: Exported, *, as_json: bool) -> None:
    """The file, and how far its runtime is from our integers."""
    if as_json:
        print(json.dumps(exported.to_json()))  # noqa: T201  rich would wrap it
        return
    if exported.agreement:
        stdout.print(agreement_table(exported.agreement))
    line = f"{exported.file}: {exported.format}, {exported.scheme}, {exported.bytes:,} bytes"
    stdout.print(line, highlight=False, markup=False, soft_wrap=True)


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """The tables; MismatchError after them when the C gives other integers than the rules."""
    if as_json:
        print(json.dumps(diagnosis.to_json()))  # noqa: T201  rich would wrap it
    else:
        stdout.print(diagnosis_table(diagnosis))
        worst = diagnosis.guilty
        line = f"{worst.name} loses the most by itself: {worst.own_snr_db:.2f} dB are left"
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)
        if diagnosis.scan is not None:
            stdout.print(scan_table(diagnosis.scan))
    if wrong := sum(one.total for one in diagnosis.executions if one.name != "torch"):
        raise MismatchError(f"{wrong} values differ from the integer rules")
