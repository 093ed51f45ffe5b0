# SPDX-License-Identifier: Apache-2.0
"""PyTorch networks for the frontend's tests; `file.py:factory` names find them here."""

import torch
from torch import nn
from torch.nn import functional


def shaken(module: nn.Module, seed: int = 0) -> nn.Module:
    """Batch norms with statistics that matter."""
    generator = torch.Generator().manual_seed(seed)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)):
        for tensor in (norm.running_mean, norm.bias.data):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        for tensor in (norm.running_var, norm.weight.data):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return module.eval()


class Everything(nn.Module):
    """Every supported layer, functional and in place, with two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.mean = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.drop = nn.Dropout()
        self.narrow = nn.Linear(8, 10)
        self.norm1d = nn.BatchNorm1d(10)
        self.wide = nn.Linear(8 * 16, 10, bias=False)
        self.grouped = nn.Conv2d(8, 12, (1, 3), stride=(2, 1), groups=4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.norm(self.conv(x))
        z = self.relu(y)
        z += y
        z = functional.max_pool2d(functional.relu6(z), 2)
        z = z + self.depthwise(z)
        a = self.norm1d(self.narrow(self.drop(self.pool(z)).squeeze(3).squeeze(2)))
        k = self.mean(z)
        b = self.wide(torch.flatten(k, 1).relu().clamp(0, 4))
        g = self.grouped(k)
        return torch.softmax(a + b, 1), g.mean((2, 3)) + g.amax((2, 3))


class PreActivation(nn.Module):
    """Batch norm with nothing to fold into, ends of a network, a scale after a rectifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 4, 3)
        self.second = nn.BatchNorm2d(4)
        self.last = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(self.conv(self.first(x)).relu()))


class Flattened(nn.Module):
    """A flattened map through rectifier, add and an unflatten with one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.tied = nn.Linear(12, 12)
        self.last = nn.Conv2d(12, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = self.conv(x).flatten(1)
        flat = flat + flat.relu()
        flat = self.tied(self.tied(flat))
        return self.last(flat.view(1, 12, 1, 1)).reshape(1, 2)


class Unsupported(nn.Module):
    """Six things that cannot be deployed, and one that is fine."""

    def __init__(self) -> None:
        super().__init__()
        self.dilated = nn.Conv2d(3, 8, 3, dilation=2)
        self.act = nn.Mish()
        self.up = nn.ConvTranspose2d(8, 8, 2, groups=2)
        self.fine = nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.dilated(x)
        z = self.fine(self.act(y))
        gated = x[:, :1] * x.argmax(1, keepdim=True)
        return z + 1.0, self.up(y), gated, x.double(), x.permute(0, 2, 3, 1)


class Decoder(nn.Module):
    """An image taken apart, gated, enlarged, put together: every op that came with them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Conv2d(4, 4, 1)
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=(1, 0))
        self.norm = nn.BatchNorm2d(6)
        self.swish = nn.Hardswish()
        self.last = nn.ConvTranspose2d(6, 3, 2, bias=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, b = functional.pad(x, (1, 0, 0, 2), value=0.25).split([1, 3], 1)
        y = torch.cat([functional.silu(a), b.tanh()], 1)
        y = y * functional.hardsigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        y = functional.relu(self.norm(self.up(y)))
        y = functional.interpolate(self.swish(y), scale_factor=2)
        y = self.last(y - functional.gelu(y, approximate="tanh"))
        return y[:, :, 1::3, -4:], y.argmax(1, keepdim=True), functional.elu(y[:, :, 0])


class Signal(nn.Module):
    """A series in windows of its past, as above along one axis, with a class in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(3, 5, 4, stride=3, padding=2, output_padding=1)
        self.leaky = nn.LeakyReLU(0.1)
        self.head = nn.Linear(40, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        early, late = functional.pad(x, (4, 0)).chunk(2, 2)
        y = self.up(functional.relu(early * late) - late)
        y = functional.interpolate(self.leaky(y), size=42)
        y = functional.gelu(y) * functional.adaptive_avg_pool1d(y, 1).sigmoid()
        scores = self.head(torch.cat([y[:, :, ::6].flatten(1), y[:, :, -1]], 1))
        return scores, scores.argmax(1), y.narrow(2, 3, 4)


NETWORKS = {
    "everything": (Everything, (1, 3, 16, 16)),
    "preactivation": (PreActivation, (1, 2, 7, 5)),
    "flattened": (Flattened, (1, 1, 4, 4)),
    "decoder": (Decoder, (1, 4, 7, 5)),
    "signal": (Signal, (1, 3, 16)),
}


def everything() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """With example inputs of another batch size, which do not matter."""
    torch.manual_seed(0)
    return shaken(Everything()), (torch.zeros(5, 3, 16, 16),)


def bare() -> nn.Module:
    """Without example inputs."""
    return shaken(PreActivation())


def tiny() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """Runs in a moment."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    return net, (torch.zeros(1, 1, 4, 4),)


def huge() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """More activations than any board has RAM."""
    return nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 4, 3)), (
        torch.zeros(1, 1, 128, 128),
    )


def heavy() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """More weights than the board has flash."""
    return nn.Linear(1024, 700), (torch.zeros(1, 1024),)


def tight() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """Weights that would just fit the flash if nothing else were in it."""
    return nn.Linear(1024, 509), (torch.zeros(1, 1024),)


def dictionary() -> tuple[nn.Module, dict]:
    """Example inputs of another kind."""
    return nn.Linear(4, 3), {"x": torch.zeros(1, 4)}


def diverged() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """A weight that is not a number."""
    net, inputs = tiny()
    net[0].weight.data[0, 0, 0, 0] = float("nan")
    return net, inputs


def unsupported() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """All problems at once."""
    return Unsupported(), (torch.zeros(1, 3, 9, 9),)


def broken() -> nn.Module:
    """Fails on its own."""
    raise ValueError("no such checkpoint")


def nothing() -> int:
    """Not a module."""
    return 3


def hostile() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """Module names that would like to be C, markup or a path."""
    net = nn.Sequential()
    net.add_module("*/ #include <x>", nn.Conv2d(1, 2, 3))
    net.add_module("<script>[red]", nn.ReLU())
    net.add_module("a\nb", nn.Flatten())
    net.add_module("file", nn.Linear(8, 3))
    return net, (torch.zeros(1, 1, 4, 4),)


def rectified_input() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """The first layer works in place on the input."""
    return nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 3)), (torch.randn(1, 5),)


class Lambda(nn.Module):
    """A function as a module, with a parameter at hand."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.p = nn.Parameter(torch.linspace(-1, 2, 48).reshape(1, 3, 4, 4))
        self.q = nn.Parameter(torch.tensor([0.5, -2.0, 3.0]).reshape(3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


IMAGE = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)


def added_input() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """x += x, then something with it."""
    return Lambda(lambda _, x: x.add_(x).relu()), (torch.randn(1, 5),)


def parameter_operand() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """A parameter in a sum."""
    return Lambda(lambda m, x: x + m.p), (IMAGE,)


def parameter_alone() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """A parameter where a feature map belongs."""
    return Lambda(lambda m, x: x + functional.max_pool2d(m.p.relu(), 1)), (IMAGE,)


def number() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """A number taken out of a tensor."""
    return Lambda(lambda _, x: x + x.sum().item()), (IMAGE,)


def indices() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """Where the largest values are."""
    return Lambda(lambda _, x: functional.adaptive_max_pool2d(x, 1, return_indices=True)), (IMAGE,)
