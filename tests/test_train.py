# SPDX-License-Identifier: Apache-2.0
"""The training loop: what it learns, how it goes on, when it stops."""

from pathlib import Path

import pytest
import torch
from torch import nn

from microai.augment import shifted
from microai.errors import UnsupportedError, UsageError
from microai.frontends.torch import import_module
from microai.ops import Add
from microai.quantize.scheme import SCHEMES
from microai.settings import Training
from microai.torch_module import torch_module
from microai.train import Kept, Labelled, Session, accuracy, labelled, rate, train
from tests.graphs import Sketch
from tests.test_torch_module import waves

HOW = Training(epochs=5, batch=16, learning_rate=0.05, momentum=0.9, mixup=0.2, noise=0.05, shift=1)


def quiet(_: str) -> None:
    pass


def network() -> nn.Module:
    """With what has state of its own, and what is random."""
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv1d(2, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(96, 3),
    )  # fmt: skip


def in_integers(scheme: str) -> nn.Module:
    """The same, to be trained in integers."""
    x, _ = waves(48)
    graph = import_module(network(), (x,))
    module = torch_module(graph, SCHEMES[scheme])
    module(x)
    return module


class InterruptedError_(Exception):  # noqa: N801, N818
    """As Ctrl-C."""


def interrupt(module: nn.Module, after: int) -> None:
    """The module's forward pass fails once, after so many."""
    count = 0

    def hook(*_: object) -> None:
        nonlocal count
        count += 1
        if count == after:
            raise InterruptedError_

    module.register_forward_pre_hook(hook)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["float", "int8", "qmn8"])
def test_interrupted_it_goes_on_to_the_same_weights(
    tmp_path: Path, kind: str, optimizer: str
) -> None:
    """In the third of five epochs; every parameter, range and step afterwards is bit for bit that
    of a training that nobody interrupted.
    """
    make = network if kind == "float" else lambda: in_integers(kind)
    how = HOW.model_copy(
        update={} if optimizer == "sgd" else {"optimizer": "adam", "momentum": 0.0}
    )
    data = Labelled(*waves(80))
    whole, first, second = make(), make(), make()
    history = train(whole, data, how, Session(3), quiet)
    session = Session(3, Kept(tmp_path / "state.pt", "these"))
    interrupt(first, after=12)  # of 5 batches an epoch
    with pytest.raises(InterruptedError_):
        train(first, data, how, session, quiet)
    lines: list[str] = []
    resumed = train(second, data, how, session, lines.append)
    assert lines[0] == f"going on after epoch 2, from {tmp_path / 'state.pt'}"
    assert [epoch.loss for epoch in resumed] == [epoch.loss for epoch in history]
    states = whole.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_it_learns_and_tells(tmp_path: Path) -> None:
    """And its last line says how well."""
    data, held, lines = Labelled(*waves(240)), Labelled(*waves(60)), []
    how = HOW.model_copy(update={"epochs": 12})
    module = network()
    history = train(module, data, how, Session(0, None, held), lines.append)
    assert len(history) == 12
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].validation == accuracy(module, held) > 0.95
    assert lines[-1].startswith(f"epoch 12 of 12: loss {history[-1].loss:.4f}, validation")
    assert not module.training


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(tmp_path: Path) -> None:
    """Two good epochs, then NaN in the inputs of the third: what is kept is the second."""
    kept, data = Kept(tmp_path / "state.pt", ""), Labelled(*waves(80))
    good = network()
    train(good, data, HOW.model_copy(update={"epochs": 2}), Session(0, kept), quiet)
    before = (tmp_path / "state.pt").read_bytes()
    broken = Labelled(data.x.clone(), data.y)
    broken.x[7, 0, 3] = torch.nan
    with pytest.raises(UsageError) as raised:
        train(network(), broken, HOW, Session(0, kept), quiet)
    assert str(raised.value) == (
        "the loss is nan in epoch 3: lower learning_rate, now 0.05; "
        f"epoch 2, the last good one, is kept in {tmp_path / 'state.pt'}"
    )
    assert (tmp_path / "state.pt").read_bytes() == before
    with pytest.raises(UsageError, match=r"the loss is (nan|inf) in epoch \d: lower learning_rate"):
        train(network(), data, HOW.model_copy(update={"learning_rate": 1e30}), Session(), quiet)


@pytest.mark.parametrize("scheme", ["int8", "int8x4", "qmn8", "qmn16"])
def test_in_integers_it_diverges_with_a_sentence(scheme: str) -> None:
    """Where everything saturates the loss may stay a number; weights and steps do not."""
    how = HOW.model_copy(update={"learning_rate": 1e30, "momentum": 0.99})
    with pytest.raises(UsageError, match=r" in epoch \d: lower learning_rate, now 1e\+30$"):
        train(in_integers(scheme), Labelled(*waves(80)), how, Session(), quiet)


def test_a_last_step_that_diverges_is_not_kept(tmp_path: Path) -> None:
    """One batch an epoch: its loss is a number, what it leaves behind is none."""
    how = HOW.model_copy(update={"learning_rate": 1e38, "batch": 80, "mixup": 0.0})
    session = Session(0, Kept(tmp_path / "state.pt", ""))
    data = Labelled(100 * waves(80)[0], waves(80)[1])
    with pytest.raises(UsageError, match=r"^a weight is no number in epoch 1: lower learning_rate"):
        train(nn.Sequential(nn.Flatten(), nn.Linear(32, 3)), data, how, session, quiet)
    assert not (tmp_path / "state.pt").exists()


def test_batches_of_one() -> None:
    """Where that is asked for, and the network has nothing that needs a deviation."""
    how = Training(epochs=1, batch=1, learning_rate=0.01)
    history = train(nn.Sequential(nn.Flatten(), nn.Linear(32, 3)), Labelled(*waves(9)), how,
                    Session(), quiet)  # fmt: skip
    assert len(history) == 1


def test_labels_out_of_range() -> None:
    """Before the loss is asked, which would fail without a name."""
    x, y = waves(32)
    with pytest.raises(UsageError, match=r"labels go up to 7, the network has classes 0\.\.2"):
        train(network(), Labelled(x, y.clamp(max=1) * 7), HOW, Session(), quiet)


def test_a_state_of_something_else_is_not_taken(tmp_path: Path) -> None:
    """Other settings: anew, and it is said. A damaged file: a sentence, and it is left alone."""
    path, data, lines = tmp_path / "state.pt", Labelled(*waves(48)), []
    train(network(), data, HOW, Session(0, Kept(path, "one")), quiet)
    train(network(), data, HOW, Session(0, Kept(path, "other")), lines.append)
    assert lines[0] == f"{path} is of other settings or data: training anew"
    for damaged in (path.read_bytes()[:200], b"", b"no archive", path.read_bytes()[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"damaged \(\w+\); delete it to train from the start"):
            train(network(), data, HOW, Session(0, Kept(path, "other")), quiet)
        assert path.read_bytes() == damaged


def test_rates() -> None:
    """Half a cosine to 0 after the last epoch; steps at milestones."""
    cosine = Training(epochs=4, batch=1, learning_rate=2.0)
    assert [round(rate(cosine, epoch), 4) for epoch in range(5)] == [2, 1.7071, 1, 0.2929, 0]
    steps = Training(
        epochs=6, batch=1, learning_rate=1.0, schedule="step", milestones=(2, 4), factor=0.5
    )
    assert [rate(steps, epoch) for epoch in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_shifts_keep_edges() -> None:
    """Each sample moves by its own distance along each axis; its edge values come in."""
    torch.manual_seed(0)
    x = torch.arange(8.0).expand(64, 1, 8)
    moved = shifted(x, 2)
    expected = {tuple((torch.arange(8) + by).clamp(0, 7).tolist()) for by in range(-2, 3)}
    assert {tuple(row.tolist()) for row in moved[:, 0].int()} == expected
    image = shifted(torch.rand(32, 3, 5, 6), 1)
    assert image.shape == (32, 3, 5, 6)


def test_layouts() -> None:
    """Samples as deployed become those of the network's own module."""
    x, y = waves(5)
    graph = import_module(network(), (x,))
    assert torch.equal(labelled(graph, x.movedim(1, 2).numpy(), y.numpy()).x, x)
    sketch = Sketch()
    several = sketch.graph(sketch.op("y", Add(), sketch.input("a", 1, 4), sketch.input("b", 1, 4)))
    with pytest.raises(UnsupportedError, match="has 2 inputs; train it in a loop of your own"):
        labelled(several, x.numpy(), y.numpy())
