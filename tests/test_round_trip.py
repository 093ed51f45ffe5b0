# SPDX-License-Identifier: Apache-2.0
"""What we export we read back: the same integers, whatever nodes the format needed."""

from pathlib import Path

import numpy as np
import pytest

from microai.errors import UnsupportedError
from microai.export import FORMATS, to_bytes
from microai.frontends import load_model
from microai.graph import Graph
from microai.interpret import interpret
from microai.samples import stored
from tests.graphs import GRAPHS, quantized, samples

LOST = {  # what the format has no word for, or what it has many for
    ("tflite", "int16x8", "branches"): "CAST: it converts to int32",  # int16's way to ARG_MAX
    ("tflite", "int16x8", "tables"): "TFLite has no Gelu in int16",
}


def written_and_read(name: str, scheme: str, kind: str, folder: Path) -> tuple[Graph, Graph]:
    """A graph, and what comes back of it."""
    graph = quantized(name, scheme)
    path = folder / f"model.{kind}"
    path.write_bytes(to_bytes(graph, kind))
    return graph, load_model(str(path))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("scheme", ["int8", "int16x8", "qmn8"])
@pytest.mark.parametrize("name", GRAPHS)
def test_exports_are_read_back(name: str, scheme: str, kind: str, tmp_path: Path) -> None:
    """Bit for bit where scales are float32's, and nothing but storage: no conversion, no float."""
    if words := LOST.get((kind, name)) or LOST.get((kind, scheme, name)):
        with pytest.raises(UnsupportedError, match=words):
            written_and_read(name, scheme, kind, tmp_path)
        return
    graph, again = written_and_read(name, scheme, kind, tmp_path)
    assert all(node.type.quant for node in again.steps)
    inputs = stored(graph, samples(graph))
    names = dict(zip((n.name for n in again.inputs), (n.name for n in graph.inputs), strict=True))
    found = interpret(again, {new: inputs[old] for new, old in names.items()})
    expected = interpret(graph, inputs)
    for ours, theirs in zip(graph.outputs, again.outputs, strict=True):
        apart = np.abs(found[theirs].ravel().astype(np.int64) - expected[ours].ravel())
        assert apart.max() <= (scheme == "int16x8")  # whose scales were float64
        assert apart.mean() < 0.01
