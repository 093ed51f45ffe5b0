# SPDX-License-Identifier: Apache-2.0
"""The module that is trained computes, bit for bit, the integers that are deployed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from microai.errors import UnsupportedError
from microai.fixedpoint import dequantize
from microai.graph import Graph
from microai.interpret import interpret
from microai.op import Input
from microai.pipeline import quantize_graph
from microai.quantize.scheme import SCHEMES, named
from microai.samples import stored
from microai.save import load
from microai.torch_module import IntegerModule, settle, torch_module
from microai.types import QTensor
from tests.graphs import GRAPHS, quantized, samples

INTEGER = [name for name in SCHEMES if name != "f32"]
TRAINABLE = [name for name in GRAPHS if name != "branches"]  # that one ends in indices
README = Path(__file__).parent.parent / "README.md"


def own_layout(graph: Graph, reals: dict) -> list[torch.Tensor]:
    """Samples as the model's own module takes them."""
    tensors = []
    for node in graph.inputs:
        assert isinstance(node.op, Input)
        x = torch.from_numpy(reals[node.name])
        tensors.append(x.permute(*np.argsort(node.op.axes).tolist()) if node.op.axes else x)
    return tensors


def trained(module: IntegerModule, inputs: list[torch.Tensor], steps: int = 3) -> IntegerModule:
    """A few steps of Adam, away from where calibration left it."""
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    module.train()
    for _ in range(steps):
        outputs = module(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(((out - 0.3) ** 2).mean() for out in outputs)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return module.eval()


def differing(module: IntegerModule, reals: dict) -> dict[str, int]:
    """Elements that differ from the settled graph's integer rules, of every tensor."""
    integers = settle(module)
    found = module.integers(*own_layout(module.graph, reals))
    reference = interpret(integers, stored(integers, reals))
    assert found.keys() == reference.keys() - integers.weights.keys()
    counts = {name: int((found[name] != reference[name]).sum()) for name in found}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("scheme", INTEGER)
@pytest.mark.parametrize("name", TRAINABLE)
def test_every_tensor_is_the_integer_rules(name: str, scheme: str) -> None:
    """As calibrated, then as trained; on other samples, some of which saturate."""
    graph = GRAPHS[name]()
    module = torch_module(graph, SCHEMES[scheme], samples(graph)).eval()
    others = {key: 2 * array for key, array in samples(graph, 9, seed=8).items()}
    assert not differing(module, others)
    before = settle(module)
    trained(module, own_layout(graph, samples(graph)))
    assert not differing(module, others)
    after = settle(module)
    assert any((before.weights[k] != after.weights[k]).any() for k in before.weights)


@pytest.mark.parametrize("scheme", INTEGER)
def test_untrained_it_is_post_training_quantization(scheme: str) -> None:
    """The same graph from both."""
    graph, reals = GRAPHS["residual"](), samples(GRAPHS["residual"]())
    module = settle(torch_module(graph, SCHEMES[scheme], reals))
    directly = quantize_graph(graph, SCHEMES[scheme], reals)
    assert [str(n.op) for n in module.nodes] == [str(n.op) for n in directly.nodes]
    for name, array in directly.weights.items():
        assert np.abs(module.weights[name].astype(int) - array).max() <= 1, name


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_mixed_layers(rounding: str) -> None:
    """Conversions between schemes, float32 among them, are part of what is trained."""
    graph, reals = GRAPHS["residual"](), samples(GRAPHS["residual"]())
    weighted = [n.name for n in quantize_graph(graph, SCHEMES["int8"], reals).steps
                if n.op.CHANNEL_AXIS]  # fmt: skip
    layers = {weighted[0]: named("int16x8", rounding), weighted[1]: named("f32")}
    module = torch_module(graph, named("int8x4", rounding), reals, layers)
    trained(module, own_layout(graph, reals))
    integers = settle(module)
    found = module.integers(*own_layout(graph, reals))
    reference = interpret(integers, stored(integers, reals))
    for node in integers.steps:
        if node.type.quant is None:
            np.testing.assert_allclose(found[node.name], reference[node.name], rtol=1e-4, atol=1e-5)
            continue
        apart = np.abs(found[node.name].astype(int) - reference[node.name])
        assert (apart > 1).sum() == 0
        assert (apart != 0).mean() <= 1e-3  # behind a float32 layer whose sums have other orders


def test_outputs_are_real_numbers() -> None:
    """What comes out is scale * (q - zero) of the deployed output."""
    graph, reals = GRAPHS["residual"](), samples(GRAPHS["residual"]())
    module = torch_module(graph, SCHEMES["int8"], reals).eval()
    integers = settle(module)
    name = integers.outputs[0]
    ints = interpret(integers, stored(integers, reals))[name].astype(np.int64)
    expected = dequantize(QTensor(ints, integers[name].type.stored))
    found = module(*own_layout(graph, reals)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def small(classes: int = 3) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv1d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
        nn.Linear(48, classes),
    )  # fmt: skip


def waves(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Signals (N, 2, 16) of three frequencies."""
    torch.manual_seed(2)
    y = torch.arange(count) % 3
    time = torch.arange(16) * (y[:, None] + 1) / 4 + 6 * torch.rand(count, 1)
    return torch.stack([time.sin(), (time + 1).sin()], 1) + 0.05 * torch.randn(count, 2, 16), y


def test_a_weight_that_two_layers_share_is_one_parameter() -> None:
    """Tied in training, tied when deployed."""
    graph = GRAPHS["shared"]()
    module = torch_module(graph, SCHEMES["int8"], samples(graph))
    (tied,) = [name for name in module.names if len(module.graph.users(name)) == 2]
    trained(module, own_layout(graph, samples(graph)))
    integers = settle(module)
    assert len(integers.users(tied)) == 2
    assert len(list(module.parameters())) == len(integers.weights) + len(module.steps.shares)


def test_the_state_can_be_kept() -> None:
    """state_dict holds ranges and steps too: another module with it computes the same."""
    graph, reals = GRAPHS["residual"](), samples(GRAPHS["residual"]())
    first = trained(torch_module(graph, SCHEMES["int8"], reals), own_layout(graph, reals))
    second = torch_module(graph, SCHEMES["int8"]).eval()
    second.load_state_dict(first.state_dict())
    one, other = settle(first), settle(second)
    assert str(one) == str(other)
    assert all((one.weights[name] == other.weights[name]).all() for name in one.weights)


def test_refusals() -> None:
    """Sentences."""
    with pytest.raises(UnsupportedError, match="is quantized already; training needs the float"):
        torch_module(quantized("residual"), SCHEMES["int8"])
    with pytest.raises(UnsupportedError, match="gives indices, which have no gradient"):
        torch_module(GRAPHS["branches"](), SCHEMES["int8"])
    with pytest.raises(UnsupportedError, match="the module has seen no data: call it, or pass"):
        settle(torch_module(GRAPHS["residual"](), SCHEMES["int8"]))


def test_the_loop_in_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own loop is under 20 lines, runs, and keeps what the float network knew."""
    (loop,) = [block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
               if "torch_module(" in block]  # fmt: skip
    assert len(loop.strip().splitlines()) < 20
    network, (x, y) = small(), waves(240)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(network(x), y))
        optimizer.step()
    batches = list(zip(x.split(32), y.split(32), strict=True))
    names = {"network": network, "batches": batches}
    monkeypatch.chdir(tmp_path)
    exec(loop, names)  # noqa: S102  it is our own README
    graph = load(tmp_path / "net.mai")
    reals = {graph.inputs[0].name: np.ascontiguousarray(x.movedim(1, 2).numpy())}
    scores = interpret(graph, stored(graph, reals))[graph.outputs[0]]
    assert (scores.argmax(axis=1) == y.numpy()).mean() > 0.95
