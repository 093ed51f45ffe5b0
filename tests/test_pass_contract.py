# SPDX-License-Identifier: Apache-2.0
"""What every pass promises, checked for all of them on every example graph."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from microai.graph import Graph, Pass, apply
from microai.interpret import interpret
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.samples import stored
from microai.save import to_bytes
from tests.graphs import GRAPHS, imported, quantized, samples

MADE = {"": quantized, "-imported": imported, "-int16": lambda name: imported(name, "int16x8")}
PASSES = [
    *(pytest.param(run, GRAPHS[name], id=f"{run.__name__}-{name}-float")
      for run in FLOAT_PASSES for name in GRAPHS),
    *(pytest.param(run, partial(make, name), id=f"{run.__name__}-{name}{kind}")
      for run in INT_PASSES for kind, make in MADE.items() for name in GRAPHS),
]  # fmt: skip


@pytest.mark.parametrize(("run", "make"), PASSES)
def test_pass_keeps_its_contract(run: Pass, make: Callable[[], Graph]) -> None:
    """Valid out, same inputs and outputs, same meaning; a second time changes nothing."""
    before = make()
    after = apply(before, (run,))
    assert [n.name for n in after.inputs] == [n.name for n in before.inputs]
    assert after.outputs == before.outputs
    assert to_bytes(apply(after, (run,))) == to_bytes(after)
    inputs = stored(before, samples(before))
    expected, found = interpret(before, inputs), interpret(after, inputs)
    for output in before.outputs:
        if before[output].type.quant:
            np.testing.assert_array_equal(found[output], expected[output])
        else:
            np.testing.assert_allclose(found[output], expected[output], atol=1e-5)
