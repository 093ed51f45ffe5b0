# SPDX-License-Identifier: Apache-2.0
"""CMSIS-NN: what is refused and why, what mixes, what is seen of a library that is not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microai.backend import MOST_WILLING
from microai.backends import BACKENDS, kernels
from microai.backends.cmsis_nn import cmsis_nn
from microai.device import session
from microai.device.cmsis_nn import ARCHIVE
from microai.errors import LinkError, UnsupportedError
from microai.graph import Graph
from microai.interpret import interpret
from microai.op import Op
from microai.ops import Add, AvgPool, Conv, DepthwiseConv, Mul
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.samples import stored
from microai.types import Quant, TensorType
from tests.graphs import GRAPHS, quantized, samples
from tests.ladder import SCHEMES as LADDER_SCHEMES
from tests.ladder import Trial, case_graph, check, inputs_of, on_host
from tests.library import SANITIZED, built, contract
from tests.stored import between, layer

ONLY = "cmsis_nn: "


def said(graph: Graph) -> str:
    """Why cmsis_nn refuses a graph's only step; the next backend takes it, and says so."""
    with pytest.raises(UnsupportedError) as raised:
        compile_graph(graph, kernels=kernels([cmsis_nn(contract())]))
    mixed = compile_graph(graph, kernels=kernels([cmsis_nn(contract()), *BACKENDS]))
    choice = mixed.choices["y"]
    assert choice.kernel.backend in ("simd", "portable")
    assert choice.refused.startswith(ONLY)
    return str(raised.value).removesuffix(MOST_WILLING).partition(ONLY)[2]


def refusal(op: Op, *shapes: tuple[int, ...], scheme: str = "int8") -> str:
    """The same for one op with drawn weights."""
    graph = case_graph((op, list(shapes)))
    return said(quantize_graph(graph, LADDER_SCHEMES[scheme], inputs_of(graph, 1)))


S8 = Quant("int8", (0.5,), zero=3)


def test_other_arithmetic_is_refused() -> None:
    """What rounds otherwise, by the reason."""
    image, mean = (1, 4, 4, 2), AvgPool((2, 2), (2, 2))
    even = "the mean of 4 elements may be a tie, which goes away from zero"
    assert said(between(mean, S8, out=S8, shape=image)) == even
    assert refusal(mean, image) == "the output's scale or zero point is not the input's"
    padded = AvgPool((3, 3), (1, 1), (1, 1, 1, 1))
    assert said(between(padded, S8, out=S8, shape=image)) == "padding counts"
    conv = Conv(), (1, 4, 4, 2), (3, 2, 2, 2), (3,)
    assert refusal(*conv, scheme="floor") == "the output rounds down"
    assert refusal(DepthwiseConv(), (1, 4, 4, 2), (2, 2, 2), (2,), scheme="int16x8").startswith(
        "a multiplier has "
    )
    three = refusal(Add(), image, image, scheme="int16x8")
    assert three.startswith("terms are rounded as well, but where they fit: these reach ")


def test_other_storage_is_refused() -> None:
    """There are no int16 weights; groups only in int8; int16 without zero points."""
    op, shapes = Conv(groups=2), [(1, 4, 4, 2), (4, 2, 2, 1), (4,)]
    assert refusal(op, *shapes, scheme="int16x8") == "groups is 2, and not all is int8"
    graph = case_graph((op, shapes))
    graph = quantize_graph(graph, SCHEMES["qmn16"], inputs_of(graph, 1))
    mixed = compile_graph(graph, kernels=kernels([cmsis_nn(contract()), *BACKENDS]))
    assert mixed.choices["y"].refused == "cmsis_nn: has no conv2d_s16; simd: groups is 2"
    uneven = Quant("int16", (0.5,), zero=7)
    assert said(between(Mul(), uneven, uneven, out=uneven)) == "int16 with a zero point"
    assert refusal(Mul(), (1, 4, 2), (1, 1, 2)) == "factors for channels"


def test_what_its_kernels_get_wrong_is_refused() -> None:
    """Found by running them: reads beyond rows, padding that a product of matrices ignores."""
    behind = DepthwiseConv(pads=(1, 1, 1, 2))
    assert refusal(behind, (1, 5, 5, 4), (3, 3, 4), (4,)) == (
        "a 3x3 kernel with 2 pixels of padding behind rows"
    )
    far = DepthwiseConv(pads=(3, 3, 0, 0))
    outside = "a window lies outside the image"
    assert refusal(far, (1, 5, 5, 4), (3, 3, 4), (4,)) == outside
    point = Conv(pads=(0, 1, 0, 1))
    assert refusal(point, (1, 4, 4, 4), (4, 1, 1, 4), (4,)) == (
        "a kernel of one pixel with padding behind the image only"
    )
    long = layer(
        Conv(), TensorType((1, 40000, 1), S8), np.ones((1, 1, 1), np.int8), np.zeros(1), 2.0
    )
    assert said(long) == "a side is 40000, over 32767"
    odd = DepthwiseConv(dilation=(2, 1)), (1, 7, 5, 3), (2, 2, 3), (3,)
    assert refusal(*odd, scheme="int8x4") == "dilated int4 of an odd number of channels, 3"


def test_sums_that_its_words_do_not_hold_are_refused() -> None:
    """Accumulators over int32, rescaled sums over 30 bits, filters that its counters miss."""
    w = np.full((2, 3, 16), 127, np.int8)
    x = TensorType((1, 11, 16), Quant("int8", (1.0,), zero=-128))
    deep = TensorType((1, 11, 2048), x.quant)  # so deep that no output is always the same
    taps = np.full((2, 3, 2048), 127, np.int8)
    wide = layer(Conv(), deep, taps, np.array([2**31 - 1, 0]), 2.0**25)
    assert "over int32" in said(wide)
    fine = layer(Conv(), x, w, np.array([1, 0]), 2.0**-12)
    assert "twice a rescaled sum can reach" in said(fine)
    many = TensorType((1, 1, 1, 70000), Quant("int8", (1.0,)))
    heavy = layer(Conv(), many, np.ones((1, 1, 1, 70000), np.int8), np.zeros(1), 2.0**20)
    assert said(heavy) == "a filter has 70000 taps, over 65535"
    image, taps = TensorType((1, 257, 257, 1), many.quant), np.ones((257, 257, 1), np.int8)
    large = layer(DepthwiseConv(), image, taps, np.zeros(1), 2.0**20)
    assert said(large) == "a filter has 66049 taps, over 65535"


def taken(graph: Graph) -> bool:
    """Whether it is the one chosen, before the others."""
    order = kernels([cmsis_nn(contract()), *BACKENDS])
    return compile_graph(graph, kernels=order).choices["y"].kernel.backend == "cmsis_nn"


def test_limits_are_where_they_must_be() -> None:
    """One step within each is taken, one beyond refused."""
    one = Quant("int16", (1.0,))
    below, above = (Quant("int16", (factor / 2,)) for factor in (16381, 16383))
    other = Quant("int16", (16385 / 2,))
    assert taken(between(Add(), other, below, out=one))
    assert said(between(Add(), other, above, out=one)).endswith("these reach 1073741824")
    factor = Quant("int8", (1.0,))
    assert taken(between(Mul(), factor, factor, out=Quant("int8", (2.0**-15,))))
    assert "can reach 2147483648" in said(
        between(Mul(), factor, factor, out=Quant("int8", (2.0**-16,)))
    )
    fine = [Quant("int16", (2.0**-n,)) for n in (32, 33)]
    assert taken(between(Add(), fine[0], fine[0], out=one))
    assert said(between(Add(), fine[1], fine[1], out=one)) == "its shift is 33, over 32"
    far = Quant("int16", (1.0,), zero=-32768)
    long = {
        n: between(AvgPool((n,), (n,)), far, out=far, shape=(1, n, 1)) for n in (9, 32747, 32769)
    }
    assert taken(long[9])
    assert said(long[32747]) == "the mean of 32747 elements is not the nearest integer"
    assert "a sum can reach" in said(long[32769])
    down = Quant("int8", (1.0,), rounding="floor")
    assert said(between(AvgPool((3,), (3,)), down, out=down)) == "the output rounds down"


@pytest.mark.parametrize("out", [S8, Quant("int8", (0.25,), zero=-128)])
@pytest.mark.parametrize("op", [Add(), Add(clamp=(0.0, 6.0))])
def test_sums_are_rounded_once(op: Op, out: Quant, tmp_path: Path) -> None:
    """All 65,536 pairs of bytes: with whole multipliers only the last of its roundings rounds."""
    quants = (Quant("int8", (0.3,), zero=-7), Quant("int8", (0.7,), zero=100))
    graph = between(op, *quants, out=out, shape=(1, 256, 256))
    bytes_ = np.arange(-128, 128, dtype=np.int8)
    a, b = np.meshgrid(bytes_, bytes_)
    fed = {"x0": a[None], "x1": b[None]}
    compiled = compile_graph(graph, kernels=kernels([cmsis_nn(contract())]))
    one = Trial(compiled, fed, interpret(graph, fed))
    with on_host([one], tmp_path) as link:
        check(link, 0, one)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_means_without_ties_are_taken(dtype: str, tmp_path: Path) -> None:
    """An odd number of elements, the same storage."""
    same = Quant(dtype, (0.5,), zero=-5)
    graph = between(AvgPool((3, 3), (1, 2), (1, 1, 0, 2), count_pads=False), same, out=same,
                    shape=(1, 7, 9, 5))  # fmt: skip
    assert "may be a tie" in said(graph)  # a corner has 6
    for op in (AvgPool((3, 3), (2, 2)), AvgPool((5, 3), (1, 1)), AvgPool((7, 9), (7, 9))):
        one = _mean(op, same)
        with on_host([one], tmp_path / str(op.kernel)) as link:
            check(link, 0, one)


def _mean(op: AvgPool, same: Quant) -> Trial:
    graph = between(op, same, out=same, shape=(1, 7, 9, 5))
    limits = np.iinfo(same.dtype)
    random = np.random.default_rng(0)
    fed = {"x0": random.integers(limits.min, limits.max + 1, (4, 7, 9, 5)).astype(same.dtype)}
    compiled = compile_graph(graph, kernels=kernels([cmsis_nn(contract())]))
    return Trial(compiled, fed, interpret(graph, fed))


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "qmn8"])
def test_networks_mix_backends(scheme: str, tmp_path: Path) -> None:
    """Each step goes to the first that takes it; every activation is exact, no scratch harms."""
    models = []
    for i, name in enumerate(GRAPHS):
        graph = quantized(name, scheme)
        order = kernels([cmsis_nn(contract()), *BACKENDS])
        compiled = compile_graph(graph, f"m{i}", order)
        fed = stored(compiled.graph, samples(graph, 3, seed=9))
        models.append(Trial(compiled, fed, interpret(compiled.graph, fed)))
    used = {c.kernel.backend for one in models for c in one.compiled.choices.values()}
    assert used == {"cmsis_nn", "simd", "portable"}
    with on_host(models, tmp_path) as link:
        for index, one in enumerate(models):
            session.select(link, one.compiled, index)
            for number, sample in enumerate(session.samples(one.inputs)):
                found = session.infer_steps(link, one.compiled, sample)
                for name, values in found.values.items():
                    np.testing.assert_array_equal(values, one.reference[name][number][None])


def test_another_library_is_seen(tmp_path: Path) -> None:
    """Generated C that is linked with one that rounds twice does not begin."""
    double = built(tmp_path / "double", "gcc", (*SANITIZED, "-DDOUBLE_ROUNDING"))
    twice = replace(contract(), archive=double / "lib" / ARCHIVE)
    graph = quantized("residual")
    compiled = compile_graph(graph, kernels=kernels([cmsis_nn(twice), *BACKENDS]))
    assert "MODEL_ERROR_LIBRARY" in compiled.sources["model.h"]
    fed = stored(graph, samples(graph, 1))
    one = Trial(compiled, fed, interpret(compiled.graph, fed))
    with (
        pytest.raises(LinkError, match="the model reports an error"),
        on_host([one], tmp_path / "model") as link,
    ):
        check(link, 0, one)


def test_too_little_scratch_is_seen(tmp_path: Path) -> None:
    """The assertion of debug builds: a plan that believes in less stops at the layer."""
    graph = quantized("residual")
    stingy = replace(contract(), scratch=lambda requests: [4] * len(requests))
    fed = stored(graph, samples(graph, 1))
    compiled = compile_graph(graph, kernels=kernels([cmsis_nn(stingy), *BACKENDS]))
    one = Trial(compiled, fed, interpret(compiled.graph, fed))
    with (
        pytest.raises(LinkError, match=r"_get_buffer_size\(.*<= context.size"),
        on_host([one], tmp_path) as link,
    ):
        check(link, 0, one)
