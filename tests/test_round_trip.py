# SPDX-License-Identifier: Apache-2.0
"""What we export we read back: the same integers, whatever nodes the format needed."""

from pathlib import Path

import numpy as np
import pytest

from microai.errors import UnsupportedError
from microai.export import FORMATS, to_bytes
from microai.frontends import load_model
from microai.interpret import interpret
from microai.samples import stored
from tests.graphs import GRAPHS, quantized, samples

INDEX = ("tflite", "int16x8", "branches")  # the runtime's ARG_MAX has no int16: it casts integers


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("scheme", ["int8", "int16x8", "qmn8"])
@pytest.mark.parametrize("name", GRAPHS)
def test_exports_are_read_back(name: str, scheme: str, kind: str, tmp_path: Path) -> None:
    """Bit for bit, and nothing but storage: no conversion, no float."""
    graph = quantized(name, scheme)
    path = tmp_path / f"model.{kind}"
    path.write_bytes(to_bytes(graph, kind))
    if (kind, scheme, name) == INDEX:
        with pytest.raises(UnsupportedError, match="CAST: it converts to int32"):
            load_model(str(path))
        return
    again = load_model(str(path))
    assert all(node.type.quant for node in again.steps)
    inputs = stored(graph, samples(graph))
    names = dict(zip((n.name for n in again.inputs), (n.name for n in graph.inputs), strict=True))
    found = interpret(again, {new: inputs[old] for new, old in names.items()})
    expected = interpret(graph, inputs)
    for ours, theirs in zip(graph.outputs, again.outputs, strict=True):
        np.testing.assert_array_equal(found[theirs].ravel(), expected[ours].ravel())
