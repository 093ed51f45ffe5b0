# SPDX-License-Identifier: Apache-2.0
"""Layers in schemes of their own, with conversions anywhere."""

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from microai.errors import UsageError
from microai.graph import Graph, verify
from microai.interpret import interpret
from microai.ops import Add, ArgMax, Conv, Dense, Quantize, Relu, Reshape
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.mixed import convert, schemes_of
from microai.quantize.scheme import SCHEMES, scheme_of
from microai.samples import stored
from tests.graphs import Sketch, samples
from tests.ladder import Trial, check, in_qemu, on_host

KINDS = ("f32", "int8", "int16x8", "qmn8", "qmn16")
PAIRS = list(product(KINDS, KINDS))


def chain() -> Graph:
    """Four layers, one of which reads two others."""
    s = Sketch(5)
    x = s.input("x", 1, 8, 4)
    first = s.op("first", Conv(pads=(1, 1)), x, s.const("w", 6, 3, 4), s.const("b", 6))
    second = s.op("second", Conv(pads=(1, 1)), first, s.const("v", 6, 3, 6), s.const("c", 6))
    total = s.op("sum", Add(), first, s.op("relu", Relu(), second))
    flat = s.op("flat", Reshape((1, 48)), total)
    return s.graph(s.op("last", Dense(), flat, s.const("fw", 3, 48), s.const("fb", 3)))


def mixed(default: str, **layers: str) -> Trial:
    """The chain in several schemes, with what the rules make of two samples."""
    graph = chain()
    reals = samples(graph)
    named = {name: SCHEMES[scheme] for name, scheme in layers.items()}
    compiled = compile_graph(quantize_graph(graph, SCHEMES[default], reals, named))
    inputs = stored(compiled.graph, {"x": reals["x"][:3]})
    return Trial(compiled, inputs, interpret(compiled.graph, inputs))


def all_pairs() -> list[Trial]:
    """From every scheme into every other, behind a convolution and in front of a dense layer."""
    trials = []
    for index, (outer, inner) in enumerate(PAIRS):
        one = mixed(outer, second=inner, last=inner)
        graph, name = one.compiled.graph, f"m{index}"
        trials.append(Trial(compile_graph(graph, name), one.inputs, one.reference))
    return trials


def check_all(link) -> None:
    for index, one in enumerate(all_pairs()):
        check(link, index, one)


def test_every_scheme_into_every_other_on_the_host(tmp_path: Path) -> None:
    """Exactly as the rules."""
    with on_host(all_pairs(), tmp_path) as link:
        check_all(link)


@pytest.mark.qemu
def test_every_scheme_into_every_other_in_qemu(qemu, tmp_path: Path) -> None:
    """The same on a Cortex-M4F."""
    with in_qemu(all_pairs(), tmp_path, qemu) as link:
        check_all(link)


def test_conversions_stand_where_types_change_and_nowhere_else() -> None:
    """Two readers share one; int8 and qmn8 read each other as they are."""
    graph = mixed("int8", second="qmn16", sum="qmn16").compiled.graph
    conversions = {n.name: n.inputs for n in graph.steps if isinstance(n.op, Quantize)}
    assert conversions == {"first.int16": ("first",), "sum.int8": ("sum",)}
    assert [n.name for n in graph.users("first.int16")] == ["second", "sum"]
    graph = mixed("int8", second="qmn8").compiled.graph
    assert not [n for n in graph.steps if isinstance(n.op, Quantize)]


def test_mixed_stays_near_the_float_network() -> None:
    """In the better of two schemes it is nearer."""
    reals = samples(chain())
    exact = interpret(chain(), reals)["last"]
    errors = {}
    for name, layers in {"int8": {}, "mixed": {"last": "qmn16", "sum": "qmn16"}}.items():
        one = mixed("int8", **layers)
        quant = one.compiled.graph["last"].type.stored
        found = (one.reference["last"] - quant.zero) * quant.scale[0]
        errors[name] = np.abs(found - exact[:3]).max()
    assert errors["mixed"] < errors["int8"]
    assert scheme_of(mixed("int8", last="qmn16").compiled.graph) == "mixed"


def test_weights_of_two_kinds_are_two_weights() -> None:
    """A tied weight read in int8 and in int16."""
    s = Sketch()
    x = s.input("x", 1, 4)
    w, b = s.const("w", 4, 4), s.const("b", 4)
    graph = s.graph(s.op("two", Dense(), s.op("one", Dense(), x, w, b), w, b))
    schemes = schemes_of(graph, SCHEMES["int8"], {"two": SCHEMES["qmn16"]})
    converted, _ = convert(graph, schemes)
    verify(converted)
    reads = [n.inputs[1] for n in converted.steps if isinstance(n.op, Dense)]
    assert reads == ["one.w", "w"]
    assert all(a.name != b.name for a, b in pairwise(converted.steps))


def test_tied_weights_stay_tied_in_each_kind() -> None:
    """Three readers, two kinds, two copies."""
    s = Sketch()
    y = s.input("x", 1, 4)
    w, b = s.const("w", 4, 4), s.const("b", 4)
    for name in ("one", "two", "three"):
        y = s.op(name, Dense(), y, w, b)
    schemes = schemes_of(s.graph(y), SCHEMES["int8"], {"two": SCHEMES["qmn16"]})
    converted, _ = convert(s.graph(y), schemes)
    reads = {n.name: n.inputs[1] for n in converted.steps if isinstance(n.op, Dense)}
    assert reads == {"one": "one.w", "two": "w", "three": "one.w"}


@pytest.mark.parametrize("default", ["f32", "int8", "qmn16"])
@pytest.mark.parametrize("layers", [{"largest": "f32"}, {"flat": "qmn16"}, {"largest": "int8"}])
def test_indices_are_not_converted(default: str, layers: dict[str, str]) -> None:
    """They mean the same in every scheme: what passes them on takes them as they are."""
    s = Sketch(7)
    scores = s.op("scores", Dense(), s.input("x", 1, 6), s.const("w", 5, 6), s.const("b", 5))
    graph = s.graph(s.op("flat", Reshape((1,)), s.op("largest", ArgMax(), scores)))
    reals = samples(graph)
    named = {name: SCHEMES[scheme] for name, scheme in layers.items()}
    compiled = compile_graph(quantize_graph(graph, SCHEMES[default], reals, named))
    found = interpret(compiled.graph, stored(compiled.graph, reals))["flat"]
    assert set(found.tolist()) <= set(range(5))
    assert (found == interpret(graph, reals)["flat"]).mean() > 0.7


def test_unknown_layers_are_named() -> None:
    """With those there are."""
    with pytest.raises(UsageError, match=r"no layer nowhere; there are x, first, second"):
        quantize_graph(chain(), SCHEMES["int8"], samples(chain()), {"nowhere": SCHEMES["qmn8"]})
