# SPDX-License-Identifier: Apache-2.0
"""What every pass promises, checked for all of them on every example graph."""

import numpy as np
import pytest

from microai.graph import Pass, apply
from microai.interpret import interpret
from microai.passes import FLOAT_PASSES, INT_PASSES
from microai.samples import stored
from tests.graphs import GRAPHS, quantized, samples

PASSES = [
    pytest.param(run, integers, name, id=f"{run.__name__}-{name}")
    for passes, integers in ((FLOAT_PASSES, False), (INT_PASSES, True))
    for run in passes
    for name in GRAPHS
]


@pytest.mark.parametrize(("run", "integers", "name"), PASSES)
def test_pass_keeps_its_contract(run: Pass, integers: bool, name: str) -> None:
    """Valid out, same inputs and outputs, same meaning; a second time changes nothing."""
    before = quantized(name) if integers else GRAPHS[name]()
    after = apply(before, (run,))
    assert [n.name for n in after.inputs] == [n.name for n in before.inputs]
    assert after.outputs == before.outputs
    assert str(apply(after, (run,))) == str(after)
    inputs = stored(before, samples(before))
    expected, found = interpret(before, inputs), interpret(after, inputs)
    for output in before.outputs:
        if integers:
            np.testing.assert_array_equal(found[output], expected[output])
        else:
            np.testing.assert_allclose(found[output], expected[output], atol=1e-5)
