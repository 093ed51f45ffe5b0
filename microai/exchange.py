# SPDX-License-Identifier: Apache-2.0
"""A model as a file for other runtimes, and what those make of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microai.agreement import Agreement, compare
from microai.bounds import prove_accumulators
from microai.errors import DeviceError, Tell
from microai.export import to_bytes
from microai.files import write_file
from microai.graph import Graph, apply
from microai.interpret import require_rules
from microai.op import Input
from microai.oracle import oracle_of, wanted
from microai.passes import EXPORT_PASSES
from microai.pipeline import Recipe, stored_graph
from microai.quantize.scheme import scheme_of
from microai.samples import normalized, stored
from microai.source import Source

COMPARED = 16  # samples at most: every layer is a file of its own, run once for each


@dataclass(frozen=True)
class Exported:
    """A file that was written; `agreement` is None where no runtime could be asked."""

    format: str
    file: Path
    bytes: int
    scheme: str
    agreement: Agreement | None

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {"schema": "microai.export/1", **asdict(self), "file": str(self.file)}


def export_source(source: Source, recipe: Recipe, kind: str, file: Path, tell: Tell) -> Exported:
    """Write the user's model in a format, and compare it on the source's samples."""
    graph = stored_graph(source, recipe, tell)
    prove_accumulators(graph)
    graph = apply(graph, EXPORT_PASSES)
    content = to_bytes(graph, kind)
    for node in graph.inputs:
        if isinstance(node.op, Input) and node.op.normalized:
            mean, std = map(_listed, (node.op.mean, node.op.std))
            tell(f"input {node.name}: the caller makes it (x - [{mean}]) / [{std}] first")
    write_file(file, lambda stream: stream.write(content))
    agreement = _agreement(graph, kind, content, source, tell)
    return Exported(kind, file, len(content), scheme_of(graph), agreement)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.9g}" for value in values)


def _agreement(
    graph: Graph, kind: str, content: bytes, source: Source, tell: Tell
) -> Agreement | None:
    oracle = oracle_of(kind)
    if oracle is None:
        tell(f"not compared: no runtime for it is installed; pip install {wanted(kind)}")
        return None
    try:
        require_rules(graph)
    except DeviceError as error:
        tell(f"not compared: {error}")
        return None
    tell(f"comparing with {oracle.name}")
    assert source.samples is not None
    first = {name: array[:COMPARED] for name, array in source.samples.items()}
    return compare(graph, kind, content, stored(graph, normalized(source.graph, first)), oracle)
