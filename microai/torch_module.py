# SPDX-License-Identifier: Apache-2.0
"""A graph as a torch module that computes what will be deployed, to be trained like any other.

Forward, every tensor holds exactly the integers of the integer rules. Backward, roundings are not
there (straight-through; Bengio et al., 2013), saturation is. Steps of affine storage are learned
(Esser et al., 2020, https://arxiv.org/abs/1902.08153), Qm.n follows the weights and activations.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from microai.errors import DivergedError, UnsupportedError
from microai.fixedpoint import clamp_ints
from microai.graph import Graph, Node, apply
from microai.op import Input
from microai.ops import LINEAR, ArgMax
from microai.passes import FLOAT_PASSES
from microai.quantize import ptq
from microai.quantize.bits import within_bits
from microai.quantize.mixed import convert, schemes_of
from microai.quantize.observe import observe
from microai.quantize.scheme import Scheme
from microai.quantize.steps import Steps
from microai.quantize.straight_through import (
    MOVES,
    Values,
    any_step,
    exactly,
    float_step,
    ints,
    linear,
    moved,
    real,
    stored_input,
    stored_weight,
)
from microai.types import Array, Arrays

SLOWLY = 0.01  # of the way from an old range to a batch's, in Qm.n
FOLLOW = ("minmax", "moving")  # ways to choose ranges that need no search


class Run(NamedTuple):
    """Of one forward pass, by name: q - zero where a tensor is integer, else real numbers; the
    storage; its steps, with gradients.
    """

    values: Values
    quants: ptq.Quants
    scales: Values


def torch_module(
    graph: Graph,
    scheme: Scheme,
    samples: Mapping[str, Array] | None = None,
    layers: Mapping[str, Scheme] | None = None,
) -> "IntegerModule":
    """The float graph, stored as `scheme` says, as a module from real inputs to real outputs.

    Inputs are in the model's own layout and normalized as for the float module, outputs channels
    last; all on the CPU. `samples` (N, ...), channels last, calibrate it; without, its first batch
    does.
    """
    module = IntegerModule(graph, scheme, layers or {})
    if samples is not None:
        module.calibrate(samples)
    return module


def settle(module: "IntegerModule") -> Graph:
    """The module as a graph in integers: what it computes in `eval` mode, bit for bit."""
    if not module.calibrated:
        raise UnsupportedError("the module has seen no data: call it, or pass samples")
    quants = module.quants()
    return ptq.store(module.limited(quants), quants)


class IntegerModule(nn.Module):
    """Parameters: the graph's weights (a tied one once), and learned steps in affine storage."""

    ranges: torch.Tensor
    seen: torch.Tensor

    def __init__(self, graph: Graph, scheme: Scheme, layers: Mapping[str, Scheme]) -> None:
        super().__init__()
        _check(graph)
        floats = apply(graph, FLOAT_PASSES)
        wanted = schemes_of(floats, scheme, layers)
        self.graph, self.schemes = convert(ptq.untie_biases(floats), wanted)
        self.following = {name: _following(own) for name, own in self.schemes.items()}
        weights = self.graph.weights
        self.names = {name: i for i, name in enumerate(weights)}
        self.weights = nn.ParameterList(
            nn.Parameter(torch.tensor(array, dtype=torch.float32)) for array in weights.values()
        )
        self.places = {name: i for i, name in enumerate(wanted)}
        self.register_buffer("ranges", torch.tensor([[-1.0, 1.0]] * len(self.places)).double())
        self.register_buffer("seen", torch.zeros(1))
        self.steps = Steps(self.graph, self.schemes, self._proposed())

    @property
    def calibrated(self) -> bool:
        """Whether ranges have been measured."""
        return bool(self.seen)

    def calibrate(self, samples: Mapping[str, Array]) -> None:
        """Measure every range with the current weights on samples (N, ...), channels last."""
        ranges = observe(self.current(), samples, self.schemes)
        for name, place in self.places.items():
            self.ranges[place] = torch.tensor(ranges[name])
        self.seen.fill_(0)
        self.steps.begin(self._proposed())
        self.seen.fill_(1)

    def current(self) -> Graph:
        """The float graph with the weights as they are now."""
        return replace(self.graph, weights=self._arrays())

    def limited(self, quants: ptq.Quants) -> Graph:
        """That graph within the bits that its schemes use."""
        return within_bits(self.current(), self.schemes, quants)

    def quants(self) -> ptq.Quants:
        """The storage of every tensor as it is now."""
        graph = self.current()
        if not all(np.isfinite(array).all() for array in graph.weights.values()):
            raise DivergedError("a weight is no number")
        quants = ptq.agreed(graph, self.steps.learned(self._proposed()))
        return ptq.agreed(graph, ptq.fit_biases(graph, quants))

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Real inputs (N, ...) to real outputs; a tuple where the graph has several."""
        run = self.run(*inputs)
        found = tuple(real(run.values[n], run.scales.get(n)) for n in self.graph.outputs)
        return found if len(found) > 1 else found[0]

    def run(self, *inputs: torch.Tensor) -> Run:
        """Every tensor's value and storage."""
        if not all(x.isfinite().all() for x in inputs):
            raise DivergedError("an input holds what is no number")
        arranged = [_arranged(x, node) for x, node in zip(inputs, self.graph.inputs, strict=True)]
        if not self.calibrated:
            named = zip(self.graph.inputs, arranged, strict=True)
            self.calibrate({node.name: x.detach().numpy() for node, x in named})
        try:
            with torch.autocast("cpu", enabled=False):
                return self._run(arranged)
        except UnsupportedError as error:  # it could be stored when it was calibrated
            raise DivergedError(f"a layer can no longer be stored ({error})") from None

    def _run(self, inputs: list[torch.Tensor]) -> Run:
        quants = self.quants()
        run = Run({}, quants, self.steps.scales(self.graph, quants))
        for node, x in zip(self.graph.inputs, inputs, strict=True):
            run.values[node.name] = stored_input(x, quants[node.name], run.scales.get(node.name))
        graph = self.limited(quants)
        for name, place in self.names.items():
            run.values[name] = stored_weight(
                self.weights[place], graph.weights[name], quants[name], run.scales.get(name)
            )
        for node in graph.steps:
            run.values[node.name] = self._step(node, run)
        return run

    def integers(self, *inputs: torch.Tensor) -> Arrays:
        """Every input and activation as it is deployed, for comparison with the integer rules."""
        with torch.no_grad():
            run = self.run(*inputs)
        return {
            name: value.numpy() if (quant := run.quants[name]) is None
            else (ints(value) + quant.zero).astype(quant.dtype)
            for name, value in run.values.items() if name not in self.names
        }  # fmt: skip

    def _arrays(self) -> Arrays:
        return {name: self.weights[i].detach().numpy() for name, i in self.names.items()}

    def _proposed(self) -> ptq.Quants:
        ranges = {name: tuple(self.ranges[place].tolist()) for name, place in self.places.items()}
        return ptq.propose(self.current(), self.following if self.seen else self.schemes, ranges)

    def _step(self, node: Node, run: Run) -> torch.Tensor:
        xs, out = [run.values[name] for name in node.inputs], run.quants[node.name]
        stored = [run.quants[name] for name in node.inputs]
        if out is None and not any(stored):
            return float_step(node.op, xs)
        if isinstance(node.op, MOVES):
            return moved(node.op, xs)
        scales = [run.scales.get(name) for name in (*node.inputs, node.name)]
        if isinstance(node.op, LINEAR):
            surrogate, exact = linear(node.op, xs, [*stored, out], scales)
        else:
            own = self.graph[node.name].op  # without the limits of fewer bits
            surrogate, exact = any_step(own, node.op, xs, [*stored, out], scales)
        if out is None:
            return exactly(surrogate, exact)
        if self.training:
            self._follow(node, surrogate.detach() * run.scales[node.name].detach())
        limits = clamp_ints(getattr(node.op, "clamp", (None, None)), out)
        surrogate = surrogate.clamp(*(limit - out.zero for limit in limits))
        return exactly(surrogate, exact - out.zero)

    def _follow(self, node: Node, real: torch.Tensor) -> None:
        """Qm.n ranges follow the batches: minmax grows at once and shrinks slowly, moving does both
        slowly, the others stay as they were searched.
        """
        scheme = self.schemes[node.name]
        if scheme.kind != "qmn" or scheme.ranges not in FOLLOW or node.name not in self.places:
            return
        limits = getattr(self.graph[node.name].op, "clamp", (None, None))
        batch = torch.stack([real.amin(), real.amax()]).double()
        batch = batch if limits == (None, None) else batch.clamp(*limits)
        if not batch.isfinite().all():
            return
        held = self.ranges[self.places[node.name]]
        slow = held + SLOWLY * (batch - held)
        grown = torch.stack([torch.minimum(batch[0], slow[0]), torch.maximum(batch[1], slow[1])])
        held.copy_(grown if scheme.ranges == "minmax" else slow)


def _check(graph: Graph) -> None:
    if any(node.type.quant for node in graph.nodes):
        raise UnsupportedError("the network is quantized already; training needs the float one")
    for node in graph.steps:
        if isinstance(node.op, ArgMax):
            raise UnsupportedError(
                f"{node.name} gives indices, which have no gradient; train the network without it"
            )


def _following(scheme: Scheme) -> Scheme:
    """Once calibrated, learned steps need no search; Qm.n searches again at every step."""
    return scheme if scheme.kind == "qmn" else replace(scheme, ranges="minmax")


def _arranged(x: torch.Tensor, node: Node) -> torch.Tensor:
    """From the model's own layout to the deployed one."""
    if x.device.type != "cpu":
        raise UnsupportedError(f"the input is on {x.device}; integers are computed on the CPU")
    assert isinstance(node.op, Input)
    axes = node.op.axes
    return x.float().permute(axes) if axes else x.float()
