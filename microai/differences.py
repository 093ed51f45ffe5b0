# SPDX-License-Identifier: Apache-2.0
"""Each tensor of a network in integers against the float one's, and between executions of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from microai.agreement import extract
from microai.figures import Error, error
from microai.graph import Graph, Node
from microai.interpret import batches, interpret
from microai.samples import real, stored
from microai.types import Array, Arrays


@dataclass(frozen=True)
class Row:
    """One tensor against float: as the network computes it, and as its layer alone does, which is
    fed with the float network's inputs. Float32 has no steps and does not saturate (None).
    """

    name: str
    op: str
    storage: str
    snr_db: float
    own_snr_db: float
    cosine: float
    largest_steps: float | None
    saturation: float | None


@dataclass(frozen=True)
class Execution:
    """Another execution of the same integers: how many elements differ, by tensor."""

    name: str
    samples: int
    differing: Mapping[str, int]

    @property
    def total(self) -> int:
        """In all tensors."""
        return sum(self.differing.values())


def rows(floats: Graph, integers: Graph, samples: Mapping[str, Array]) -> tuple[Row, ...]:
    """Every input and step that both networks have, on real samples (N, ...). `floats` is as
    FLOAT_PASSES leave it, `integers` as quantization made it of that; conversions have no row.
    """
    known = {node.name for node in floats.nodes}
    shown = [node for node in (*integers.inputs, *integers.steps) if node.name in known]
    alone = {node.name: extract(integers, node.name) for node in shown if node.inputs}
    totals = {node.name: Error() for node in shown}
    owns = dict(totals)
    for batch in batches(samples):
        expected = interpret(floats, batch)
        found = interpret(integers, stored(integers, batch))
        for node in shown:
            quant, reals = node.type.quant, expected[node.name]
            totals[node.name] += error(reals, real(node, found[node.name]), quant)
            own = _own(integers, alone[node.name], expected) if node.inputs else found[node.name]
            owns[node.name] += error(reals, real(node, own), quant)
    return tuple(_row(node, totals[node.name], owns[node.name]) for node in shown)


def _own(integers: Graph, alone: Graph, expected: Arrays) -> Array:
    """What a node's rule makes of the float network's values, as it stores them."""
    fed = {source.name: _before(integers, source, expected) for source in alone.inputs}
    (name,) = alone.outputs
    return interpret(alone, stored(alone, fed))[name]


def _before(integers: Graph, source: Node, expected: Arrays) -> Array:
    """The float network's tensor; for what a conversion makes, its input's."""
    name = source.name
    while name not in expected:
        name = integers[name].inputs[0]
    return expected[name]


def _row(node: Node, total: Error, own: Error) -> Row:
    quant = node.type.quant
    return Row(
        node.name, str(node.op) if node.inputs else "Input", node.type.dtype,
        total.snr_db, own.snr_db, total.cosine,
        total.largest / quant.scale[0] if quant else None,
        total.saturation if quant else None,
    )  # fmt: skip
