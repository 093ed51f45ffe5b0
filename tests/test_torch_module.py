# SPDX-License-Identifier: Apache-2.0
"""The module that is trained computes, bit for bit, the integers that are deployed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from microai.errors import DivergedError, UnsupportedError
from microai.fixedpoint import dequantize
from microai.frontends.torch import import_module
from microai.graph import Graph
from microai.interpret import interpret
from microai.op import Input
from microai.ops import Add
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


def test_gradients_are_those_of_the_float_network() -> None:
    """Where steps are small: straight through roundings, in units of the real weights."""
    network, (x, y) = small(), waves(32)
    graph = import_module(network, (x,))
    module = torch_module(graph, SCHEMES["qmn16"])
    functional.cross_entropy(module(x), y).backward()
    functional.cross_entropy(network(x), y).backward()
    name = next(name for name in module.names if module.graph[name].type.shape == (6, 3, 2))
    found = module.weights[module.names[name]].grad.movedim(-1, 1).flatten()
    assert functional.cosine_similarity(found, network[0].weight.grad.flatten(), dim=0) > 0.9999
    assert 0.998 < found.norm() / network[0].weight.grad.norm() < 1.002


@pytest.mark.parametrize("name", ["residual", "chains", "twice", "tables"])
def test_gradients_of_every_op(name: str) -> None:
    """Add, pools, tables, slices: each weight's gradient in fine steps is that in real numbers."""
    graph, reals = GRAPHS[name](), samples(GRAPHS[name](), 6)
    modules = [torch_module(graph, SCHEMES[scheme], reals) for scheme in ("qmn16", "f32")]
    for module in modules:
        outputs = module(*own_layout(graph, reals))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        torch.autograd.backward(sum((out**2).mean() for out in outputs))
    found, expected = ([w.grad for w in module.weights] for module in modules)
    assert modules[0].names == modules[1].names
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert (one - other).norm() <= 0.05 * other.norm() + 1e-4, list(modules[0].names)[i]


def test_gradients_of_steps() -> None:
    """A real bias does not depend on steps: however large it is, their gradients do not grow."""
    torch.manual_seed(0)
    network, x = nn.Linear(8, 4), torch.randn(64, 8)
    gradients = []
    for bias in (0.0, 5.0):
        nn.init.constant_(network.bias, bias)
        module = torch_module(import_module(network, (x,)), SCHEMES["int16x8"])
        module(x).sum().backward()
        places = module.steps.places
        gradients.append(torch.cat([module.steps.shares[places[name]].grad for name in places
                                    if name != module.graph.outputs[0]]))  # fmt: skip
    assert gradients[1].abs().max() < 3 * gradients[0].abs().max() + 0.1


def test_under_autocast() -> None:
    """Integers are integers in a loop that computes the rest in bfloat16."""
    network, (x, _) = small(), waves(32)
    module = torch_module(import_module(network, (x,)), SCHEMES["int8"])
    expected = module(x)
    with torch.autocast("cpu"):
        assert torch.equal(module(x), expected)


def test_a_batch_that_is_no_number_leaves_ranges_alone() -> None:
    """A loop may leave such a batch out; what it knows of the others stays."""
    network, (x, _) = small(), waves(32)
    module = torch_module(import_module(network, (x,)), SCHEMES["qmn8"])
    module(x)
    before = module.ranges.clone()
    with pytest.raises(DivergedError, match=r"^an input holds what is no number$"):
        module(torch.full_like(x, torch.nan))
    assert torch.equal(module.ranges, before)


def test_fewer_bits_follow_too() -> None:
    """A sum's range grows beyond the limits that its bits had set."""
    graph, reals = GRAPHS["residual"](), samples(GRAPHS["residual"]())
    module = torch_module(graph, SCHEMES["qmn6"], reals)
    (add,) = [node.name for node in module.graph.steps if isinstance(node.op, Add)]
    before = float(module.ranges[module.places[add]][1])
    with torch.no_grad():
        for weight in module.weights:
            weight.mul_(4)
    module.train()(*own_layout(graph, reals))
    module(*own_layout(graph, reals))
    assert float(module.ranges[module.places[add]][1]) > 2 * before


def test_calibrated_again() -> None:
    """With the weights as they are then, a bias that was shared in the float network too."""
    graph, reals = GRAPHS["shared"](), samples(GRAPHS["shared"]())
    module = torch_module(graph, SCHEMES["int8"], reals)
    own = [name for name in module.names if name not in graph.weights]
    assert own
    with torch.no_grad():
        module.weights[module.names[own[0]]].fill_(100)
    module.calibrate(reals)
    reader = module.graph.users(own[0])[0].name
    assert module.ranges[module.places[reader]].abs().max() > 90


def test_steps_are_learned() -> None:
    """A step that is four times too large is no longer so after training."""
    network, (x, y) = small(), waves(96)
    module = torch_module(import_module(network, (x,)), SCHEMES["int8"])
    module(x)
    module.steps.firsts *= 4
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    losses = []
    for _ in range(60):
        loss = functional.cross_entropy(module(x), y)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    moved = torch.cat([share.detach() for share in module.steps.shares])
    assert losses[-1] < losses[0] / 2
    assert moved.abs().max() > 0.1
    assert not differing(module.eval(), {"input": x.movedim(1, 2).numpy()})


def test_qmn_follows_its_weights() -> None:
    """n falls by one when the weights double, in the very next pass."""
    x, _ = waves(32)
    module = torch_module(import_module(small(), (x,)), SCHEMES["qmn8"])
    module(x)
    name = next(name for name in module.names if module.graph[name].type.shape == (6, 3, 2))
    before = module.quants()[name]
    with torch.no_grad():
        module.weights[module.names[name]] *= 2
    after = module.quants()[name]
    assert before
    assert after
    assert after.scale[0] == 2 * before.scale[0]


@pytest.mark.parametrize(
    ("ranges", "grows", "shrinks"),
    [("minmax", 1.0, 0.01), ("moving", 0.01, 0.01), ("mse", 0.0, 0.0)],
)
def test_qmn_ranges_follow_the_batches(ranges: str, grows: float, shrinks: float) -> None:
    """By that share of the way to a larger or a smaller batch; not while judging."""
    x, _ = waves(32)
    module = torch_module(import_module(small(), (x,)), named("qmn8", ranges=ranges))
    module(x)
    last = module.places[module.graph.outputs[0]]

    def highest(batch: torch.Tensor) -> float:
        module(batch)
        return float(module.ranges[last][1])

    module.eval()
    start = highest(x)
    assert highest(40 * x) == start
    module.ranges[last] = torch.tensor([-1e-3, 1e-3])
    module.train()
    before = float(module.ranges[last][1])
    grown = highest(x)
    assert (grown > before) == (grows > 0)
    module.ranges[last] = torch.tensor([-50.0, 50.0])
    shrunk = highest(x)
    reach = 50 - (50 - shrunk) / shrinks if shrinks else 50.0
    assert reach == pytest.approx(before + (grown - before) / grows if grows else 50.0, rel=0.2)


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
