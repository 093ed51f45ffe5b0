# SPDX-License-Identifier: Apache-2.0
"""Where storage comes from in ONNX: integers at the inputs, limits, scales that join weights."""

from pathlib import Path

import numpy as np
import pytest

from microai.frontends.onnx import import_onnx
from tests.onnx_models import made, saved
from tests.test_onnx_integers import RANDOM, SCALE, Q, steps_apart, wrapped


def test_integers_at_the_inputs(tmp_path: Path) -> None:
    """An input of integers has the storage that it is dequantized with; moved first or not."""
    nodes = "t = Transpose<perm=[0,1,3,2]>(i)\n c = Cast<to=2>(t)\n d = DequantizeLinear(c, s, u)\n r = Relu(d)\n q = QuantizeLinear(r, s, u)\n y = DequantizeLinear(q, s, u)"
    graph = wrapped(
        nodes, {"s": np.float32(0.5), "u": np.uint8(130)}, tmp_path, given="uint8[1,3,4,4] i"
    )
    assert graph.inputs[0].type.stored.zero == 2
    assert {node.type.dtype for node in graph.steps} == {"int8"}


@pytest.mark.parametrize(
    ("op", "float_"), [("Clip(d, , h)", True), ("Clip(d, , s)", False), ("Pad(d, p, h)", True)]
)
def test_limits_that_the_input_cannot_hold(op: str, float_: bool, tmp_path: Path) -> None:
    """0.4 is no multiple of 1: the op stays in float between its two storages."""
    nodes = f"q = QuantizeLinear(x, s, z)\n d = DequantizeLinear(q, s, z)\n c = {op}\n e = QuantizeLinear(c, f, z)\n y = DequantizeLinear(e, f, z)"
    weights = {"s": np.float32(1), "z": np.int8(0), "h": np.float32(0.4), "f": np.float32(0.01),
               "p": np.asarray([0, 0, 1, 1, 0, 0, 0, 0])}  # fmt: skip
    graph = wrapped(nodes, weights, tmp_path)
    assert any(node.type.quant is None for node in graph.steps) is float_


def test_outputs_that_are_inputs_are_copies(tmp_path: Path) -> None:
    """Nothing else would fill them."""
    graph = wrapped(Q + "y = Identity(d)", SCALE, tmp_path)
    assert [f"{n.op}:{n.type.dtype}" for n in graph.steps] == ["Reshape:int8"]


@pytest.mark.parametrize("per_channel", [True, False])
def test_a_batch_norm_joins_stored_weights(per_channel: bool, tmp_path: Path) -> None:
    """Their scales take the factors, their integers the signs: within a step, no further layer."""
    nodes = (
        Q
        + """
        k = DequantizeLinear<axis=0>(w, ws, wz)
        c = Conv(d, k, b)
        m = Mul(c, f)
        n = BatchNormalization(m, g, h, u, v)
        r = Relu(n)
        q2 = QuantizeLinear(r, s, z)
        y = DequantizeLinear(q2, s, z)
    """
    )
    scale = RANDOM.uniform(0.01, 0.03, 4).astype(np.float32)
    weights = {
        **SCALE, "w": RANDOM.integers(-127, 128, (4, 3, 1, 1)).astype(np.int8),
        "ws": scale if per_channel else scale[0], "wz": np.zeros(4 if per_channel else (), np.int8),
        "b": RANDOM.normal(size=4).astype(np.float32), "f": np.asarray([1, -2, 0, 0.5], np.float32).reshape(4, 1, 1),
        **{k: RANDOM.uniform(0.5, 1.5, 4).astype(np.float32) for k in "ghuv"},
    }  # fmt: skip
    model = made(f"g (float[1,3,4,4] x) => (float[N] y) {{ {nodes} }}", 15, weights)
    graph = import_onnx(saved(model, tmp_path))
    assert [str(node.op) for node in graph.steps] == ["Conv", "Relu"]
    assert {node.type.dtype for node in graph.steps} == {"int8"}
    assert steps_apart(model, graph) <= 1.01
