# SPDX-License-Identifier: Apache-2.0
"""How the module in training changes: gradients straight through, learned steps, ranges."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from microai.errors import DivergedError
from microai.frontends.torch import import_module
from microai.ops import Add
from microai.quantize.scheme import SCHEMES, named
from microai.torch_module import torch_module
from tests.graphs import GRAPHS, samples
from tests.test_torch_module import differing, own_layout, small, waves


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
