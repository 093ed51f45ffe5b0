# SPDX-License-Identifier: Apache-2.0
"""Steps of affine storage as parameters of training.

A step is its calibrated size times exp(parameter), so that it stays positive, weight decay draws it
back to where it began, and Adam moves it by shares. Under gradient descent it moves as in LSQ
(Esser et al., 2020): its gradient is divided by sqrt(elements * largest integer).
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from microai.errors import DivergedError
from microai.graph import Graph
from microai.op import Const
from microai.ops import LINEAR
from microai.quantize import ptq
from microai.quantize.mixed import Schemes
from microai.types import Quant


class Steps(nn.Module):
    """A parameter for each tensor of affine storage that no op insists on."""

    firsts: torch.Tensor
    zeros: torch.Tensor

    def __init__(self, graph: Graph, schemes: Schemes, proposed: ptq.Quants) -> None:
        super().__init__()
        self.roots = _roots(graph, ptq.agreed(graph, proposed))
        own = [name for name, root in self.roots.items() if name == root]
        learned = {name: quant for name in own
                   if (quant := proposed[name]) and _learns(graph, schemes, name)}  # fmt: skip
        self.places = {name: i for i, name in enumerate(learned)}
        self.shares = nn.ParameterList(
            nn.Parameter(torch.zeros(len(quant.scale))) for quant in learned.values()
        )
        self.counts = {name: graph[name].type.size // len(q.scale) for name, q in learned.items()}
        self.begin(proposed)

    def begin(self, proposed: ptq.Quants) -> None:
        """Start from these steps."""
        chosen = [quant for name in self.places if (quant := proposed[name])]
        scales = [torch.tensor(quant.scale, dtype=torch.float64) for quant in chosen]
        zeros = torch.tensor([quant.zero for quant in chosen])
        self.register_buffer("firsts", torch.cat([torch.zeros(0).double(), *scales]))
        self.register_buffer("zeros", zeros)

    def learned(self, proposed: ptq.Quants) -> ptq.Quants:
        """The storage with the steps as they are now."""
        quants = dict(proposed)
        firsts = torch.split(self.firsts, [len(share) for share in self.shares])
        for name, place in self.places.items():
            quant = quants[name]
            assert quant
            scale = (firsts[place] * self.shares[place].detach().exp()).float()
            if not (scale.isfinite() & (scale > 0)).all():
                raise DivergedError(f"the step of {name} has become {scale.tolist()}")
            quants[name] = replace(quant, scale=tuple(scale.tolist()), zero=int(self.zeros[place]))
        return quants

    def scales(self, graph: Graph, quants: ptq.Quants) -> dict[str, torch.Tensor]:
        """Every step as it is deployed, with the gradient of its parameter."""
        scales: dict[str, torch.Tensor] = {}
        for node in graph.nodes:
            quant = quants[node.name]
            if quant:
                scales[node.name] = self._scale(self.roots.get(node.name, ""), quant)
        for node in graph.steps:
            if isinstance(node.op, LINEAR) and node.name in scales:
                x, w, b = node.inputs
                scales[b] = scales[x] * scales[w]  # or a bias would grow with them
        return scales

    def _scale(self, root: str, quant: Quant) -> torch.Tensor:
        deployed = torch.tensor(quant.scale, dtype=torch.float32)
        if root not in self.places:
            return deployed
        share = self.shares[self.places[root]]
        damping = 1 / math.sqrt(self.counts[root] * quant.high)
        scale: torch.Tensor = deployed * (damping * (share - share.detach())).exp()
        return scale


def _roots(graph: Graph, quants: ptq.Quants) -> Mapping[str, str]:
    """For each tensor the one whose storage it has: its own, its input's, or none ("")."""
    roots = {node.name: node.name for node in graph.nodes}
    for node in graph.steps:
        stored = [quants[name] for name in (*node.inputs, node.name)]
        if None in stored:
            continue
        wish = node.op.storage(*stored)
        roots.update({node.inputs[i]: "" for i in wish.inputs})
        if wish.out:
            same = wish.out == stored[0]
            roots[node.name] = roots[node.inputs[0]] if same else ""
    return roots


def _learns(graph: Graph, schemes: Schemes, name: str) -> bool:
    """Whether the tensor's scheme has any step at all, rather than powers of two."""
    node = graph[name]
    if isinstance(node.op, Const):
        user = graph.users(name)[0]
        weighs = graph[user.name].inputs.index(name) in user.op.CHANNEL_AXIS
        return weighs and schemes[user.name].kind != "qmn"
    return schemes[name].kind != "qmn"
