# SPDX-License-Identifier: Apache-2.0
"""A plain training loop for classifiers, float or in integers; the last epoch is the result.

Everything random in an epoch follows from the seed and the epoch's number, so a training that was
interrupted goes on from its last epoch to the weights that it would have had.
"""

import io
import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from microai.augment import shifted
from microai.errors import DivergedError, Tell, UnsupportedError, UsageError
from microai.files import write_file
from microai.graph import Graph
from microai.op import Input
from microai.settings import Training
from microai.types import Array

TOLD_S = 10.0  # seconds between two lines of progress
DAMAGED = (
    RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError, UnpicklingError,
)  # fmt: skip
SEEDS = 1_000_003  # from one seed's epochs to the next seed's


@dataclass(frozen=True)
class Labelled:
    """Inputs (N, ...) as the network takes them, classes (N,)."""

    x: torch.Tensor
    y: torch.Tensor


def labelled(graph: Graph, reals: Array, labels: Array) -> Labelled:
    """Normalized samples (N, ...), channels last, in the layout of the network's own module."""
    if len(graph.inputs) > 1:
        raise UnsupportedError(
            f"the network has {len(graph.inputs)} inputs; train it in a loop of your own, "
            "with microai.torch_module"
        )
    (node,) = graph.inputs
    assert isinstance(node.op, Input)
    x = torch.tensor(np.ascontiguousarray(reals))
    own = x.permute(*np.argsort(node.op.axes).tolist()) if node.op.axes else x
    return Labelled(
        own if own.ndim == 4 else own.contiguous(), torch.tensor(labels.astype(np.int64))
    )


@dataclass(frozen=True)
class Epoch:
    """What came of one: mean loss, the share of validation samples that were right, its time."""

    loss: float
    validation: float | None
    seconds: float


@dataclass(frozen=True)
class Kept:
    """Where the last good epoch is kept, and what it must have been trained with to go on."""

    path: Path
    settings: str


@dataclass(frozen=True)
class Session:
    """Of one training: the seed, a file for its state, and what to check every epoch on."""

    seed: int = 0
    kept: Kept | None = None
    validation: Labelled | None = None


def train(
    network: nn.Module, data: Labelled, how: Training, session: Session, tell: Tell
) -> tuple[Epoch, ...]:
    """Trains the network in place and leaves it in eval; the epochs' history.

    UsageError when the loss is no longer a number; the last good epoch stays where it is kept.
    """
    _lay_out(network)
    kept = session.kept
    optimizer = OPTIMIZERS[how.optimizer](network, how)
    history = _resume(network, optimizer, kept, tell) if kept else []
    told = time.monotonic()
    for epoch in range(len(history), how.epochs):
        began = time.monotonic()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(session.seed * SEEDS + epoch)
            try:
                loss = _epoch(network, optimizer, data, how, epoch)
            except DivergedError as error:
                raise UsageError(_diverged(str(error), how, epoch, kept)) from None
        share = accuracy(network, session.validation) if session.validation else None
        history.append(Epoch(loss, share, time.monotonic() - began))
        if kept:
            _keep(network, optimizer, history, kept)
        told = _progress(history, how.epochs, told, tell)
    network.eval()
    return tuple(history)


def accuracy(network: nn.Module, data: Labelled) -> float:
    """The share of samples whose largest score is their class's; leaves the network in eval."""
    network.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(torch.split(data.x, 256), torch.split(data.y, 256), strict=True):
            right += int((network(x).flatten(1).argmax(dim=1) == y).sum())
    return right / len(data.y)


def rate(how: Training, epoch: int) -> float:
    """The learning rate of an epoch, from 0."""
    if how.schedule == "cosine":
        return how.learning_rate * (1 + math.cos(math.pi * epoch / how.epochs)) / 2
    passed = sum(milestone <= epoch for milestone in how.milestones)
    return how.learning_rate * how.factor**passed


def _lay_out(network: nn.Module) -> None:
    """Channels last in memory for what weighs images: several times as fast."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, data: Labelled, how: Training,
    epoch: int,
) -> float:  # fmt: skip
    """One pass over the data; its mean loss. DivergedError for what is no number."""
    network.train()
    for group in optimizer.param_groups:
        group["lr"] = rate(how, epoch)
    losses = []
    for batch in _batches(len(data.y), how.batch):
        optimizer.zero_grad()
        loss = _loss(network, data.x[batch], data.y[batch], how)
        if not loss.isfinite():
            raise DivergedError(f"the loss is {loss.item()}")
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    if not all(t.isfinite().all() for t in network.state_dict().values() if t.is_floating_point()):
        raise DivergedError("a weight is no number")
    return sum(losses) / len(losses)


def _diverged(what: str, how: Training, epoch: int, kept: Kept | None) -> str:
    last = f"; epoch {epoch}, the last good one, is kept in {kept.path}" if kept and epoch else ""
    now = f"lower learning_rate, now {how.learning_rate:g}"
    return f"{what} in epoch {epoch + 1}: {now}{last}"


def _batches(count: int, size: int) -> list[torch.Tensor]:
    """All indices in random order. A last batch of one is left out: it has no deviation."""
    batches = torch.split(torch.randperm(count), size)
    return [batch for batch in batches if len(batch) > 1 or size == 1 or len(batches) == 1]


def _loss(network: nn.Module, x: torch.Tensor, y: torch.Tensor, how: Training) -> torch.Tensor:
    """Cross-entropy of a batch, shifted, with noise, each sample mixed with another one (mixup:
    Zhang et al., 2018).
    """
    x = shifted(x, how.shift) if how.shift else x
    if not how.mixup:
        return functional.cross_entropy(_scores(network, _noisy(x, how), y), y)
    share = torch.distributions.Beta(how.mixup, how.mixup).sample()
    other = torch.randperm(len(x))
    scores = _scores(network, _noisy(share * x + (1 - share) * x[other], how), y)
    own, others = (functional.cross_entropy(scores, labels) for labels in (y, y[other]))
    mixed: torch.Tensor = share * own + (1 - share) * others
    return mixed


def _noisy(x: torch.Tensor, how: Training) -> torch.Tensor:
    return x + how.noise * torch.randn_like(x) if how.noise else x


def _scores(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    scores: torch.Tensor = network(x).flatten(1)
    if y.max() >= scores.shape[1]:
        raise UsageError(
            f"labels go up to {y.max()}, the network has classes 0..{scores.shape[1] - 1}"
        )
    return scores


def _progress(history: list[Epoch], epochs: int, told: float, tell: Tell) -> float:
    """Tells how far it is, every ten seconds and at the end; when it last did."""
    now, done = time.monotonic(), len(history)
    if now - told < TOLD_S and done < epochs:
        return told
    last, spent = history[-1], sum(epoch.seconds for epoch in history)
    checked = f", validation {last.validation:.2%}" if last.validation is not None else ""
    left = f"{spent / done * (epochs - done):.0f} s left" if done < epochs else f"{spent:.0f} s"
    tell(f"epoch {done} of {epochs}: loss {last.loss:.4f}{checked}, {left}")
    return now


def _resume(
    network: nn.Module, optimizer: torch.optim.Optimizer, kept: Kept, tell: Tell
) -> list[Epoch]:
    """The history up to the kept epoch, whose state network and optimizer take; [] without."""
    if not kept.path.is_file():
        return []
    try:
        state = torch.load(kept.path, weights_only=True)
        if state["settings"] != kept.settings:
            tell(f"{kept.path} is of other settings or data: training anew")
            return []
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        history = [Epoch(*row) for row in state["history"]]
    except DAMAGED as error:
        raise UsageError(
            f"{kept.path}: damaged ({type(error).__name__}); delete it to train from the start"
        ) from None
    tell(f"going on after epoch {len(history)}, from {kept.path}")
    return history


def _keep(
    network: nn.Module, optimizer: torch.optim.Optimizer, history: list[Epoch], kept: Kept
) -> None:
    """The state after an epoch, as a file that is whole at any moment."""
    state = {
        "settings": kept.settings, "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [astuple(epoch) for epoch in history],
    }  # fmt: skip
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_file(kept.path, lambda file: file.write(buffer.getvalue()))


def _sgd(network: nn.Module, how: Training) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        network.parameters(), how.learning_rate, how.momentum, weight_decay=how.weight_decay
    )


def _adam(network: nn.Module, how: Training) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), how.learning_rate, weight_decay=how.weight_decay)


OPTIMIZERS: dict[str, Callable[[nn.Module, Training], Any]] = {"sgd": _sgd, "adam": _adam}
