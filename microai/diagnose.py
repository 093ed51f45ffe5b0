# SPDX-License-Identifier: Apache-2.0
"""Where a network's accuracy goes, layer by layer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from microai.differences import Execution, Row, rows
from microai.errors import Tell, UsageError
from microai.executions import executions
from microai.graph import apply
from microai.job import Job
from microai.passes import FLOAT_PASSES
from microai.pipeline import Recipe, scheme_for
from microai.quantize.scheme import SCHEMES, Scheme, scheme_of
from microai.render import Compiled
from microai.samples import normalized, spread
from microai.sensitivity import Sensitivity, ranges_of, scan
from microai.source import Source, calibration_reals


@dataclass(frozen=True)
class Diagnosis:
    """All that `diagnose` shows; `scan` is None where it was not asked for."""

    model: str
    scheme: str
    samples: int
    rows: tuple[Row, ...]
    executions: tuple[Execution, ...]
    scan: tuple[Sensitivity, ...] | None

    @property
    def guilty(self) -> Row:
        """What loses the most by itself."""
        return min(self.rows, key=lambda row: row.own_snr_db)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        layers = [
            {
                **asdict(row),
                "differing": {e.name: e.differing.get(row.name) for e in self.executions},
            }
            for row in self.rows
        ]
        executions = [
            {"name": e.name, "samples": e.samples, "differing": e.total} for e in self.executions
        ]
        return {
            "schema": "microai.diagnose/1", "model": self.model, "scheme": self.scheme,
            "samples": self.samples, "layers": layers, "executions": executions,
            "scan": None if self.scan is None else [asdict(row) for row in self.scan],
        }  # fmt: skip


def check_diagnosable(source: Source, recipe: Recipe) -> None:
    """UsageError where there is no float network, or no integer one."""
    if source.quantized:
        raise UsageError(
            f"the model is quantized already, as {scheme_of(source.graph)}; "
            "diagnose compares with the float network: pass that one"
        )
    stores = [scheme_for(source, recipe), *recipe.layers.values()]
    if all(scheme.activations is None for scheme in stores):
        names = ", ".join(name for name in SCHEMES if name != "f32")
        raise UsageError(f"nothing is stored in integers; pass --scheme, one of {names}")


def examine(
    source: Source, recipe: Recipe, compiled: Compiled, job: Job | None,
    levels: Mapping[str, Scheme] | None, tell: Tell,
) -> Diagnosis:  # fmt: skip
    """The source's samples through every execution; `levels` are scanned, None is no scan."""
    assert source.samples is not None
    floats = apply(source.graph, FLOAT_PASSES)
    reals = normalized(source.graph, source.samples)
    found = rows(floats, compiled.source, reals)
    executed = executions(source, recipe, compiled, reals, job, tell)
    scanned = None
    if levels is not None:
        calibration = calibration_reals(source)
        assert calibration is not None
        labels = source.labels if len(source.graph.outputs) == 1 else None
        ranges = ranges_of(floats, calibration, levels)
        scanned = scan(floats, ranges, levels, reals, labels, tell)
    count = len(next(iter(reals.values())))
    name = scheme_of(compiled.source)
    return Diagnosis(compiled.name, name, count, found, executed, scanned)


def fewer(source: Source, count: int) -> Source:
    """The source with `count` of its samples, spread evenly; calibration stays as it is."""
    assert source.samples is not None
    chosen = spread(len(next(iter(source.samples.values()))), count)
    samples = {name: array[chosen] for name, array in source.samples.items()}
    labels = None if source.labels is None else source.labels[chosen]
    return replace(source, samples=samples, labels=labels)
