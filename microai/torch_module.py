# SPDX-License-Identifier: Apache-2.0
"""A graph as a torch module that computes what will be deployed, to be trained like any other.

Forward, every tensor holds exactly the integers of the integer rules. Backward, roundings are not
there (straight-through; Bengio et al., 2013), saturation is. Steps of affine storage are learned
(Esser et al., 2020, https://arxiv.org/abs/1902.08153), Qm.n follows the weights and activations.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from microai.errors import UnsupportedError
from microai.fixedpoint import clamp_ints
from microai.fixedpoint import quantize as to_ints
from microai.graph import Graph, Node, apply
from microai.op import Input
from microai.ops import LINEAR, ArgMax, MaxPool, Reshape, Resize, Slice, Transpose
from microai.ops._linear import linear_requantize
from microai.passes import FLOAT_PASSES
from microai.quantize import ptq
from microai.quantize.bits import within_bits
from microai.quantize.mixed import convert, schemes_of
from microai.quantize.observe import observe
from microai.quantize.scheme import Scheme
from microai.quantize.steps import Steps
from microai.types import Array, Arrays, Ints, QTensor, Quant

EXACT = 1 << 24  # the integers that float32 holds without gaps
SLOWLY = 0.01  # of the way from an old range to a batch's, in Qm.n
FOLLOW = ("minmax", "moving")  # ways to choose ranges that need no search
MOVES = (MaxPool, Reshape, Resize, Slice, Transpose)  # the same on q - zero as on real numbers
Values = dict[str, torch.Tensor]
"""q - zero by name where a tensor is integer, real numbers elsewhere."""


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
        self.floats = apply(graph, FLOAT_PASSES)
        self.wanted = schemes_of(self.floats, scheme, layers)
        self.graph, self.schemes = convert(ptq.untie_biases(self.floats), self.wanted)
        self.following = {name: _following(own) for name, own in self.schemes.items()}
        weights = self.graph.weights
        self.names = {name: i for i, name in enumerate(weights)}
        self.weights = nn.ParameterList(
            nn.Parameter(torch.tensor(array, dtype=torch.float32)) for array in weights.values()
        )
        self.places = {name: i for i, name in enumerate(self.wanted)}
        self.register_buffer("ranges", torch.tensor([[-1.0, 1.0]] * len(self.places)).double())
        self.register_buffer("seen", torch.zeros(1))
        self.steps = Steps(self.graph, self.schemes, self._proposed())

    @property
    def calibrated(self) -> bool:
        """Whether ranges have been measured."""
        return bool(self.seen)

    def calibrate(self, samples: Mapping[str, Array]) -> None:
        """Measure every range with the current weights on samples (N, ...), channels last."""
        known = {n: w for n, w in self._arrays().items() if n in self.floats.weights}
        floats = replace(self.floats, weights={**self.floats.weights, **known})
        ranges = observe(floats, samples, self.wanted)
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
        quants = ptq.agreed(graph, self.steps.learned(self._proposed()))
        return ptq.agreed(graph, ptq.fit_biases(graph, quants))

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Real inputs (N, ...) to real outputs; a tuple where the graph has several."""
        values, quants = self.run(*inputs)
        scales = self.steps.scales(self.graph, quants)
        found = tuple(_real(values[name], scales.get(name)) for name in self.graph.outputs)
        return found if len(found) > 1 else found[0]

    def run(self, *inputs: torch.Tensor) -> tuple[Values, ptq.Quants]:
        """Every tensor's value and storage."""
        arranged = [_arranged(x, node) for x, node in zip(inputs, self.graph.inputs, strict=True)]
        if not self.calibrated:
            named = zip(self.graph.inputs, arranged, strict=True)
            self.calibrate({node.name: x.detach().numpy() for node, x in named})
        quants = self.quants()
        scales = self.steps.scales(self.graph, quants)
        values: Values = {}
        for node, x in zip(self.graph.inputs, arranged, strict=True):
            values[node.name] = _stored(x, quants[node.name], scales.get(node.name))
        graph = self.limited(quants)
        self._store_weights(values, quants, scales, graph.weights)
        for node in graph.steps:
            values[node.name] = self._step(node, values, quants, scales)
        return values, quants

    def integers(self, *inputs: torch.Tensor) -> Arrays:
        """Every input and activation as it is deployed, for comparison with the integer rules."""
        with torch.no_grad():
            values, quants = self.run(*inputs)
        return {
            name: value.numpy() if (quant := quants[name]) is None
            else (_ints(value) + quant.zero).astype(quant.dtype)
            for name, value in values.items() if name not in self.names
        }  # fmt: skip

    def _arrays(self) -> Arrays:
        return {name: self.weights[i].detach().numpy() for name, i in self.names.items()}

    def _proposed(self) -> ptq.Quants:
        ranges = {name: tuple(self.ranges[place].tolist()) for name, place in self.places.items()}
        return ptq.propose(self.current(), self.following if self.seen else self.schemes, ranges)

    def _store_weights(
        self, values: Values, quants: ptq.Quants, scales: Values, arrays: Mapping[str, Array]
    ) -> None:
        for name, place in self.names.items():
            w, quant = self.weights[place], quants[name]
            if quant is None:
                values[name] = w
                continue
            held = torch.from_numpy(ptq.stored(arrays[name], quant) - float(quant.zero))
            axes = [-1 if axis == quant.axis % w.ndim else 1 for axis in range(w.ndim)]
            scale = scales[name].view(axes if len(quant.scale) > 1 else -1)
            surrogate = (w / scale).clamp(quant.low - quant.zero, quant.high - quant.zero)
            values[name] = _straight_through(surrogate.double(), held)

    def _step(self, node: Node, values: Values, quants: ptq.Quants, scales: Values) -> torch.Tensor:
        xs, out = [values[name] for name in node.inputs], quants[node.name]
        stored = [quants[name] for name in node.inputs]
        if out is None and not any(stored):
            result: torch.Tensor = node.op.run_float(*[x.float() for x in xs])
            return result
        if isinstance(node.op, MOVES):
            moved: torch.Tensor = node.op.run_float(*xs)
            return moved
        if isinstance(node.op, LINEAR):
            assert out
            surrogate, exact = _linear(node, xs, [q for q in stored if q], out, scales)
        else:
            reals = [_real(x, scales.get(n)) for x, n in zip(xs, node.inputs, strict=True)]
            surrogate = node.op.run_float(*reals)
            operands = [_operand(x, q) for x, q in zip(xs, stored, strict=True)]
            exact = node.op.run_int(*operands, out)
            if out is None:
                return _exactly(surrogate, exact)
            surrogate = surrogate / scales[node.name]
        if self.training:
            self._follow(node, surrogate.detach() * scales[node.name].detach())
        limits = clamp_ints(getattr(node.op, "clamp", (None, None)), out)
        surrogate = surrogate.clamp(*(limit - out.zero for limit in limits))
        return _exactly(surrogate, exact - out.zero)

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
    return x.permute(axes) if axes else x


def _stored(x: torch.Tensor, quant: Quant | None, scale: torch.Tensor | None) -> torch.Tensor:
    """A real input as q - zero."""
    if quant is None or scale is None:
        return x
    exact = to_ints(x.detach().numpy(), quant) - quant.zero
    surrogate = (x / scale).clamp(quant.low - quant.zero, quant.high - quant.zero)
    return _exactly(surrogate, exact)


def _real(x: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    return x.float() if scale is None else x.float() * scale


def _linear(
    node: Node, xs: list[torch.Tensor], stored: list[Quant], out: Quant, scales: Values
) -> tuple[torch.Tensor, Array]:
    """Real outputs in steps, and the exact integers. The sum is one of integers, in float32 where
    that holds it, and has the gradient as well.
    """
    x, w, b = xs
    op = node.op
    assert isinstance(op, LINEAR)
    unclamped = replace(op, clamp=(None, None))
    channels = w.detach().movedim(op.CHANNEL_AXIS[1], 0).flatten(1).abs().sum(dim=1)
    bound = float(channels.max()) * stored[0].reach + float(b.detach().abs().max())
    wide = torch.float32 if bound < EXACT else torch.float64
    acc = unclamped.run_float(x.to(wide), w.to(wide), b.to(wide))
    operands = (QTensor(_NONE, stored[0]), QTensor(_NONE, stored[1]))
    exact = linear_requantize(_ints(acc.detach()), *operands, out, op.clamp)
    ratio = scales[node.inputs[0]] * scales[node.inputs[1]] / scales[node.name]
    return acc.float() * ratio, exact


_NONE: Ints = np.zeros(0, np.int64)


def _operand(x: torch.Tensor, quant: Quant | None) -> QTensor | Array:
    array = x.detach().numpy()
    return array if quant is None else QTensor(_ints(x.detach()) + quant.zero, quant)


def _ints(x: torch.Tensor) -> Ints:
    ints: Ints = x.numpy().astype(np.int64)
    return ints


def _exactly(surrogate: torch.Tensor, exact: Array) -> torch.Tensor:
    return _straight_through(surrogate, torch.from_numpy(exact.astype(np.float32)))


def _straight_through(surrogate: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """The value of `exact` with the gradient of the surrogate."""
    return exact + (surrogate - surrogate.detach())
