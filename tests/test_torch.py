# SPDX-License-Identifier: Apache-2.0
"""PyTorch in: the same numbers, no transposes, and one message for all that is unsupported."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import elu, interpolate, pad, relu6

from microai.errors import UnsupportedError, UsageError
from microai.frontends import load_model
from microai.frontends.torch import import_module
from microai.graph import Graph, apply
from microai.interpret import interpret
from microai.ops import Conv, Dense, DepthwiseConv, Relu
from microai.passes import FLOAT_PASSES
from tests import networks
from tests.networks import NETWORKS, shaken

HERE = str(Path(networks.__file__))
TOP = "  (top, networks.py:LINE):"
NONE = "no such op here"
PLAIN = "groups 1 and dilation 1, or nearest upsampling and a convolution"


def assert_same(
    graph: Graph, module: torch.nn.Module, shape: tuple[int, ...], *, own: bool = False
) -> None:
    """Graph and module agree on random inputs, also after the float passes; `own`: outputs lie as
    in the module.
    """
    torch.manual_seed(1)
    x = torch.randn(shape)
    wanted = module(x)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for version in (graph, apply(graph, FLOAT_PASSES)):
        values = interpret(version, {version.inputs[0].name: channels_last(x)})
        for name, tensor in zip(version.outputs, wanted, strict=True):
            expected = tensor.detach().numpy() if own else channels_last(tensor)
            np.testing.assert_allclose(values[name], expected, atol=2e-6)


def channels_last(tensor: torch.Tensor) -> np.ndarray:
    """As deployed."""
    return np.ascontiguousarray(np.moveaxis(tensor.detach().numpy(), 1 % tensor.ndim, -1))


@pytest.mark.parametrize("name", NETWORKS)
def test_imports_mean_the_same(name: str) -> None:
    """Every layer, folded or not."""
    kind, shape = NETWORKS[name]
    module = shaken(kind())
    assert_same(import_module(module, (torch.zeros(shape),)), module, shape)


def test_batch_norms_and_rectifiers_are_gone() -> None:
    """Folded into what precedes them, in feature maps and vectors alike."""
    module, inputs = networks.everything()
    graph = apply(import_module(module, inputs), FLOAT_PASSES)
    ops = [type(node.op) for node in graph.steps]
    assert ops.count(DepthwiseConv) == 1
    assert ops.count(Relu) == 1  # of the flattened pool, which cannot clamp
    assert graph["conv"].op.clamp == (0.0, None)
    assert not {"norm", "norm1d"} & {node.name for node in graph.steps}


def test_grouped_depthwise_and_plain_convolutions_are_told_apart() -> None:
    """By their groups."""
    module, inputs = networks.everything()
    graph = import_module(module, inputs)
    assert isinstance(graph["depthwise"].op, DepthwiseConv)
    assert graph["grouped"].op == Conv((2, 1), (0, 0, 0, 0), (1, 1), 4)
    assert isinstance(graph["wide"].op, Dense)


def test_tied_weights_stay_one() -> None:
    """Where both uses read the same order."""
    module = networks.Flattened()
    graph = import_module(module, (torch.zeros(1, 1, 4, 4),))
    names = [n.name for n in graph.consts if n.name.startswith("tied.weight")]
    assert names == ["tied.weight.nhwc", "tied.weight"]


def test_saved_programs(tmp_path: Path) -> None:
    """A .pt2 carries its own example inputs."""
    module = shaken(networks.Everything())
    exported = torch.export.export(module, (torch.zeros(1, 3, 16, 16),))
    torch.export.save(exported, tmp_path / "net.pt2")
    assert_same(load_model(str(tmp_path / "net.pt2")), module, (1, 3, 16, 16))


def test_factories() -> None:
    """With example inputs, or with a shape from the command line."""
    assert load_model(f"{HERE}:everything").inputs[0].type.shape == (1, 16, 16, 3)
    assert load_model(f"{HERE}:bare", (1, 2, 7, 5)).inputs[0].type.shape == (1, 7, 5, 2)


def test_everything_unsupported_in_one_message() -> None:
    """Module path, op, dtype, why, what instead; each once, and nothing that only follows."""
    with pytest.raises(UnsupportedError) as raised:
        load_model(f"{HERE}:unsupported")
    lines = [re.sub(r":\d+\)", ":LINE)", line) for line in str(raised.value).splitlines()]
    assert lines == [
        "cannot deploy this network:",
        "  act: aten.mish.default (float32): no such op here; use SiLU",
        f"{TOP} aten.mul.Tensor (float32): it computes with indices; use argmax as the last layer",
        f"  up: aten.conv_transpose2d.input (float32): groups is 2, dilation (1, 1); use {PLAIN}",
        f"{TOP} aten._to_copy.default (float64): {NONE}; use float32 throughout",
    ]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nowhere.py:factory", "nowhere.py: no such file"),
        (HERE, "name the factory too"),
        (f"{HERE}:bare", "pass --input-shape"),
        (f"{HERE}:broken", "ValueError: no such checkpoint"),
        (f"{HERE}:nothing", "returned int, expected a Module"),
        (f"{HERE}:absent", "has no attribute 'absent'"),
        ("net.h5", "expected one of"),
    ],
)
def test_bad_models_are_usage_errors(model: str, words: str) -> None:
    """One line, no traceback."""
    with pytest.raises(UsageError) as raised:
        load_model(model)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_input_shape_the_network_does_not_take() -> None:
    """torch.export's first line, not its pages."""
    with pytest.raises(UnsupportedError, match="torch.export could not capture it"):
        load_model(f"{HERE}:everything", (1, 4, 16, 16))


def test_a_damaged_pt2(tmp_path: Path) -> None:
    """A sentence."""
    (tmp_path / "net.pt2").write_bytes(b"PK\3\4 not really")
    with pytest.raises(UnsupportedError, match=r"not a readable .pt2"):
        load_model(str(tmp_path / "net.pt2"))


@pytest.mark.parametrize("name", ["rectified_input", "added_input"])
def test_inputs_that_forward_writes_to_are_no_outputs(name: str) -> None:
    """In-place on the input means the same as not in place."""
    module, (x,) = getattr(networks, name)()
    graph = import_module(module, (x,))
    assert len(graph.outputs) == 1
    expected = module(x.clone()).detach().numpy()
    found = interpret(graph, {graph.inputs[0].name: x.numpy()})[graph.outputs[0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["parameter_alone", "number", "indices"])
def test_what_only_looks_like_tensors_is_listed(name: str) -> None:
    """Parameters, Python numbers, pooling indices: a sentence each."""
    with pytest.raises(UnsupportedError, match="cannot deploy this network|could not capture"):
        load_model(f"{HERE}:{name}")


REFUSALS = {
    "batch": (lambda _, x: x[0:0].relu(), "it takes nothing of (1, 3, 4, 4)"),
    "joined": (lambda _, x: torch.cat([x, x]), "it works along the batch"),
    "parameter": (lambda m, x: torch.cat([x, m.p]), "it joins a constant"),
    "reflect": (
        lambda _, x: pad(x, (1, 1, 1, 1), mode="reflect"),
        "mode is reflect; use zeros",
    ),
    "crop": (lambda _, x: pad(x, (-1, 1)), "(-1, 1)); use a slice"),
    "pixels": (lambda _, x: x * x[:, :1], "one shape, or one factor for each channel"),
    "larger": (lambda m, x: x[:, :, :1] + m.p, "a constant (1, 3, 4, 4) enlarges"),
    "divided": (lambda _, x: x / x.exp(), "no such op here"),
    "ratio": (lambda _, x: x / x.relu(), "it divides by a computed tensor; use a product"),
    "alpha": (lambda _, x: x.sub(x.relu(), alpha=2), "alpha is 2; use alpha 1"),
    "elu": (lambda _, x: elu(x, alpha=0.5), "alpha is 0.5; use alpha 1"),
    "uneven": (lambda _, x: interpolate(x, scale_factor=1.4), "use whole factors"),
    "linear": (lambda _, x: interpolate(x, scale_factor=2, mode="bilinear"), "mode='nearest'"),
    "axis": (lambda _, x: x.argmax(2), "it runs over axis 2 of (1, 3, 4, 4); use axis 1"),
    "image": (
        lambda _, x: x.argmax(1),
        "it takes the channel axis off an image",
    ),
}


MEANT = {
    "scaled": lambda _, x: 2.0 * x / 3,
    "shifted": lambda _, x: 1.5 - (x - 0.5),
    "channels": lambda m, x: x.relu() * m.q + m.q,
    "whole": lambda m, x: m.p - x * m.p,
    "flattened": lambda _, x: x.flatten(1)[:, 3:],
    "flat": lambda _, x: x.flatten(1),
    "column": lambda _, x: x[:, 0],
    "largest": lambda _, x: x.amax((2, 3)),
    "permuted": lambda _, x: x.permute(0, 2, 3, 1),
    "there and back": lambda _, x: x.permute(0, 3, 1, 2).relu().permute(0, 2, 3, 1),
    "turned": lambda _, x: x.transpose(2, 3) + x,
    "shuffled": lambda _, x: x.reshape(1, 3, 2, 2, 4).transpose(1, 2).reshape(1, 6, 2, 4).relu(),
    "images": lambda _, x: relu6(x.transpose(1, 2)),
}


@pytest.mark.parametrize("name", MEANT)
def test_constants_and_turns_mean_the_same(name: str) -> None:
    """Also where elements have to be moved."""
    module = networks.Lambda(MEANT[name])
    own = name in ("column", "permuted")  # nothing has to move for that
    graph = import_module(module, (networks.IMAGE,))
    assert_same(graph, module, tuple(networks.IMAGE.shape), own=own)


def test_turns_that_undo_each_other_cost_nothing() -> None:
    """No node moves anything."""
    graph = import_module(networks.Lambda(MEANT["there and back"]), (networks.IMAGE,))
    assert [str(node.op) for node in graph.steps] == ["Relu"]


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_to_use(name: str) -> None:
    """What an importer cannot express is not approximated."""
    function, words = REFUSALS[name]
    with pytest.raises(UnsupportedError) as raised:
        import_module(networks.Lambda(function), (networks.IMAGE,))
    assert words in str(raised.value)


def test_a_factory_may_print_and_use_dataclasses(capsys) -> None:
    """Its output goes to stderr: stdout is for results."""
    load_model(f"{Path(HERE).parent / 'chatty.py'}:factory")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "loading" in printed.err


def test_weights_that_are_not_numbers() -> None:
    """Named, counted, and refused before anything is computed with them."""
    with pytest.raises(UnsupportedError, match="weight '0.weight' has 1 NaN or infinite values of"):
        load_model(f"{HERE}:diverged")
