# SPDX-License-Identifier: Apache-2.0
"""Chosen ranges and fewer bits as they are deployed: integers, C, training, command line."""

from dataclasses import replace
from inspect import signature
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from microai.commands.deploying import COMMANDS
from microai.errors import UsageError
from microai.formats import Format
from microai.graph import Graph, verify
from microai.interpret import interpret
from microai.ops import CLAMPING
from microai.pipeline import compile_graph, quantize_graph, stored_graph
from microai.quantize.scheme import RANGES, SCHEMES, named
from microai.samples import stored
from microai.source import Source
from microai.torch_module import settle, torch_module
from microai.wanted import How, recipe_of
from tests.graphs import GRAPHS, samples
from tests.ladder import Trial, check, on_host


def test_six_bits() -> None:
    """Steps of four; weights and clamped outputs within them, beyond calibration too."""
    graph = GRAPHS["residual"]()
    reals = samples(graph)
    eight, six = (quantize_graph(graph, SCHEMES[name], reals) for name in ("qmn8", "qmn6"))
    wide = stored(six, {name: 9 * array for name, array in reals.items()})
    values = interpret(six, wide)
    for node in six.nodes:
        if node.type.dtype == "int8":
            assert node.type.stored.scale[0] == 4 * eight[node.name].type.stored.scale[0]
            if node.name in six.weights:
                assert np.abs(six.weights[node.name]).max() <= 31
            elif isinstance(node.op, CLAMPING):
                assert -32 <= values[node.name].min() < values[node.name].max() <= 31
    assert max(int(values[n.name].max()) for n in six.inputs) > 31


@pytest.mark.parametrize(
    ("bits", "scheme"), [(9, "qmn8"), (1, "qmn8"), (6, "int8"), (6, "f32"), (6, "int8x4")]
)
def test_bits_that_storage_does_not_have(bits: int, scheme: str) -> None:
    """2 to those it has, in Qm.n."""
    with pytest.raises(ValueError, match=f"bits is {bits}, expected 2 to those of the storage"):
        replace(SCHEMES[scheme], bits=bits)


def test_what_is_meant_to_saturate_is_not_told() -> None:
    """What Q7.9 cannot hold still is, with the ends that the values have."""
    graph = GRAPHS["scaled_dense"]()
    weights = {**graph.weights, "w": graph.weights["w"] ** 3 * 900}
    graph = Graph(graph.nodes, graph.outputs, weights)
    told: dict[str, list[str]] = {"minmax": [], "mse": [], "chosen": []}
    reals = samples(graph, 20_000)
    for ranges in ("minmax", "mse"):
        quantize_graph(graph, named("qmn16-net", ranges=ranges), reals, tell=told[ranges].append)
    for scheme, ranges in product(("int8x4", "qmn8"), RANGES):
        quantize_graph(graph, named(scheme, ranges=ranges), reals, tell=told["chosen"].append)
    assert told["minmax"] == told["mse"]
    assert len(told["minmax"]) > 1
    assert told["chosen"] == []


@pytest.mark.parametrize(("scheme", "ranges"), [("qmn6", "minmax"), ("qmn8", "mse")])
def test_a_module_to_train_starts_there(scheme: str, ranges: str) -> None:
    """With the same ranges and bits; what it computes is what it settles as, trained or not."""
    graph, how = GRAPHS["residual"](), named(scheme, ranges=ranges)
    reals = samples(graph, 100)
    module = torch_module(graph, how, reals)
    integers = quantize_graph(graph, how, reals)
    assert [n.type for n in settle(module).nodes] == [n.type for n in integers.nodes]
    (x,) = (3 * array for array in samples(graph, 4, seed=8).values())
    for _ in range(3):
        found = module.eval().integers(torch.from_numpy(x))
        settled = settle(module)
        inputs = stored(settled, {settled.inputs[0].name: x})
        for name, array in interpret(settled, inputs).items():
            if name not in settled.weights:
                np.testing.assert_array_equal(found[name], array)
        torch.autograd.backward(module.train()(torch.from_numpy(x)).square().mean())
        torch.optim.SGD(module.parameters(), 0.05).step()


def trial(name: str, scheme: str, ranges: str) -> Trial:
    """Calibrated on many samples, run on three that go further."""
    graph = GRAPHS["residual"]()
    integers = quantize_graph(graph, named(scheme, ranges=ranges), samples(graph, 300))
    verify(integers)
    compiled = compile_graph(integers, name)
    reals = {key: 3 * array for key, array in samples(graph, 3, seed=9).items()}
    inputs = stored(compiled.graph, reals)
    return Trial(compiled, inputs, interpret(compiled.graph, inputs))


def test_c_equals_the_rules_with_every_method(tmp_path: Path) -> None:
    """They choose ranges; what is computed in them is exact as ever."""
    pairs = list(product(("int8x4", "int16x8", "qmn6"), RANGES))
    trials = [trial(f"m{i}", *pair) for i, pair in enumerate(pairs)]
    assert len({one.compiled.sources[f"m{i}.c"][20:] for i, one in enumerate(trials)}) == len(pairs)
    with on_host(trials, tmp_path) as link:
        for index, one in enumerate(trials):
            check(link, index, one)


def test_the_option_reaches_every_layer() -> None:
    """With a scheme or without; a layer's own as well."""
    recipe = recipe_of(None, ["a=qmn8"], How(ranges="mse"), ())
    assert recipe.scheme == named("int8", ranges="mse")
    assert dict(recipe.layers) == {"a": named("qmn8", ranges="mse")}
    assert recipe_of(None, [], How(), ()).scheme is None
    graph = GRAPHS["residual"]()
    graph = quantize_graph(graph, SCHEMES["int8"], samples(graph))
    with pytest.raises(UsageError) as raised:
        stored_graph(Source(graph, None, None), recipe, lambda _: None)
    assert str(raised.value) == (
        "the model is quantized already, as int8; "
        "--scheme, --rounding, --per-channel, --ranges and --layer need a float one"
    )
    with pytest.raises(UsageError, match=r"^--ranges is 'all', expected one of minmax, percentile"):
        recipe_of(None, [], How(ranges="all"), ())


def test_every_command_that_takes_a_scheme_takes_ranges() -> None:
    """And none else."""
    taken = {command.__name__: set(signature(command).parameters) for command in COMMANDS}
    assert {name for name, options in taken.items() if "ranges" in options} == set(taken)
    assert all("scheme" in options for options in taken.values())


def test_formats_of_experiment_files_name_a_method() -> None:
    """Or take all values."""
    assert Format.read("int8x4+mse").levels == {"int8x4": named("int8x4", ranges="mse")}
    assert Format.read("qmn6+floor+moving+qat").levels == {"qmn6": named("qmn6", "floor", "moving")}
    assert Format.read("qmn8").levels == {"qmn8": SCHEMES["qmn8"]}
