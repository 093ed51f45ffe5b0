# SPDX-License-Identifier: Apache-2.0
"""A plain training loop for classifiers; the last epoch is the result."""

import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from microai.errors import Tell, UsageError
from microai.settings import Training

TOLD = 10  # epochs between two lines of progress


def train(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor, how: Training, tell: Tell
) -> nn.Module:
    """The network trained on x (N, ...), y (N,): SGD, a cosine to 0, mixup, noise on the inputs.

    Mixup is Zhang et al., 2018. UsageError when the loss is no longer a number.
    """
    optimizer = torch.optim.SGD(
        network.parameters(), how.learning_rate, how.momentum, weight_decay=how.weight_decay
    )
    schedule = CosineAnnealingLR(optimizer, how.epochs)
    targets = functional.one_hot(y).to(x.dtype)
    network.train()
    for epoch in range(how.epochs):
        for batch in torch.split(torch.randperm(len(x)), how.batch):
            inputs, wanted = _mixed(x[batch], targets[batch], how)
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(inputs), wanted)
            if not loss.isfinite():
                raise UsageError(
                    f"the loss is {loss.item()} in epoch {epoch + 1}; "
                    f"lower learning_rate, now {how.learning_rate}"
                )
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()
        if (epoch + 1) % TOLD == 0:
            tell(f"epoch {epoch + 1} of {how.epochs}: loss {loss.item():.3f}")
    return network.eval()


def _mixed(
    x: torch.Tensor, targets: torch.Tensor, how: Training
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch with noise, each sample mixed with another one."""
    if how.mixup:
        share = torch.distributions.Beta(how.mixup, how.mixup).sample()
        other = torch.randperm(len(x))
        x = share * x + (1 - share) * x[other]
        targets = share * targets + (1 - share) * targets[other]
    return x + how.noise * torch.randn_like(x), targets
