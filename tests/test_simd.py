# SPDX-License-Identifier: Apache-2.0
"""The simd backend where it is special: largest sums, refusals, what a MAC costs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from microai.backends import kernels
from microai.backends.portable import PORTABLE
from microai.backends.simd import SIMD
from microai.board import emulated, load_board
from microai.device.build import ARM, STRICT, build, find_tool, write_sources
from microai.device.measure import measure
from microai.device.protocol import Link
from microai.device.qemu import connect
from microai.errors import UnsupportedError
from microai.examples.resnet import ResNetv1_6
from microai.frontends.torch import import_module
from microai.graph import Graph
from microai.interpret import interpret
from microai.op import Op
from microai.ops import Add, AvgPool, Conv, Dense, DepthwiseConv, MaxPool, Relu
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES
from microai.render import Compiled, render_harness
from microai.samples import stored
from microai.types import Array, Quant, TensorType
from tests.graphs import Sketch, samples
from tests.ladder import Trial, check, in_qemu, on_host
from tests.stored import between, layer
from tests.test_generated_c import CLANG_ARM, compile_quietly, newlib_headers

SHAPES: dict[str, tuple[Op, tuple[int, ...], tuple[int, ...]]] = {
    "conv1d": (Conv(pads=(1, 1)), (1, 11, 16), (5, 3, 16)),
    "conv2d": (Conv(pads=(1, 1, 1, 1)), (1, 5, 6, 8), (4, 3, 3, 8)),
    "depthwise": (DepthwiseConv(pads=(1, 1, 1, 1)), (1, 5, 5, 4), (3, 3, 4)),
    "dense": (Dense(), (1, 48), (5, 48)),
}


def extreme(name: str, kind: str, weights: str) -> tuple[Graph, dict[str, Array]]:
    """Every weight and every input at its limit: all of one sign, all of the other, mixed."""
    op, shape, w_shape = SHAPES[name]
    w = np.full(w_shape, np.iinfo(weights).max, weights)
    w[..., ::2] *= np.where(np.arange(w[..., ::2].shape[-1]) % 3 == 0, -1, 1).astype(weights)
    filters = w_shape[-1] if name == "depthwise" else w_shape[0]
    x = TensorType(shape, Quant(kind, (1.0,)))
    graph = layer(op, x, w, np.arange(filters) - 2, 2.0**14)
    limits = np.iinfo(kind)
    random = np.random.default_rng(0)
    fed = np.stack([
        np.full(shape[1:], limits.max), np.full(shape[1:], limits.min),
        random.choice([limits.min, limits.max], shape[1:]), random.integers(-9, 9, shape[1:]),
    ])  # fmt: skip
    return graph, {"x": fed.astype(kind)}


@contextlib.contextmanager
def target(one: Trial, folder: Path, program: str | None) -> Iterator[Link]:
    """The host, or QEMU where a program is given."""
    with in_qemu([one], folder, program) if program else on_host([one], folder) as link:
        yield link


def exact(name: str, kind: str, weights: str, folder: Path, program: str | None = None) -> None:
    """The target equals the rules, whose sums are Python's; the kernel is the simd one."""
    graph, fed = extreme(name, kind, weights)
    compiled = compile_graph(graph)
    assert compiled.choices["y"].kernel.backend == "simd"
    one = Trial(compiled, fed, interpret(graph, fed))
    with target(one, folder, program) as link:
        check(link, 0, one)


KINDS = [("int8", "int8"), ("int16", "int8"), ("int16", "int16")]


@pytest.mark.parametrize(("kind", "weights"), KINDS)
@pytest.mark.parametrize("name", SHAPES)
def test_largest_sums_on_the_host(name: str, kind: str, weights: str, tmp_path: Path) -> None:
    """No accumulator wraps: int8 sums leave int16, int16 sums leave int32."""
    graph, fed = extreme(name, kind, weights)
    acc = interpret_sums(graph, fed["x"])
    assert np.abs(acc).max() > np.iinfo("int32" if weights == "int16" else "int16").max
    exact(name, kind, weights, tmp_path)


def interpret_sums(graph: Graph, x: Array) -> Array:
    """Sums before they are rescaled, in float64."""
    node = graph["y"]
    operands = (x, graph.weights["w"], graph.weights["b"])
    return node.op.run_float(*(torch.from_numpy(a.astype(np.float64)) for a in operands)).numpy()


@pytest.mark.qemu
@pytest.mark.parametrize(("kind", "weights"), KINDS)
@pytest.mark.parametrize("name", SHAPES)
def test_largest_sums_in_qemu(name, kind, weights, qemu, tmp_path) -> None:
    """There SMLAD's Q flag tells when 32 bits were not enough."""
    exact(name, kind, weights, tmp_path, qemu)


@pytest.mark.qemu
def test_all_127_through_a_network_whose_int16_sums_would_wrap(qemu: str, tmp_path: Path) -> None:
    """A peer accumulates int8 in int16 and is wrong on this, silently."""
    graph, _ = extreme("conv1d", "int8", "int8")
    weights = {"w": np.full((5, 3, 16), 127, np.int8), "b": graph.weights["b"]}
    graph = Graph(graph.nodes, graph.outputs, weights)
    fed = {"x": np.full((1, 11, 16), 127, np.int8)}
    reference = interpret(graph, fed)
    assert np.iinfo(np.int16).max < 48 * 127 * 127
    assert reference["y"].max() == round(48 * 127 * 127 / 2**14)
    for backends in ([SIMD, PORTABLE], [PORTABLE]):
        one = Trial(compile_graph(graph, kernels=kernels(backends)), fed, reference)
        with target(one, tmp_path / backends[0].name, qemu) as link:
            check(link, 0, one)


def refusal(op: Op, *shapes: tuple[int, ...], scheme: str = "int8") -> str:
    """What simd says where nothing is behind it."""
    s = Sketch()
    x = s.input("x", *shapes[0])
    consts = [s.const(f"c{i}", *shape) for i, shape in enumerate(shapes[1:])]
    graph = s.graph(s.op("y", op, x, *consts))
    graph = quantize_graph(graph, SCHEMES[scheme], samples(graph))
    with pytest.raises(UnsupportedError) as raised:
        compile_graph(graph, kernels=kernels([SIMD]))
    assert compile_graph(graph).choices["y"].kernel.backend == "portable"
    return str(raised.value)


def test_refusals_are_sentences() -> None:
    """And portable is behind it."""
    conv = Conv(dilation=(2,))
    assert "simd: dilation is 2 along the row" in refusal(conv, (1, 9, 4), (4, 3, 4), (4,))
    grouped = Conv(groups=2)
    assert "simd: groups is 2" in refusal(grouped, (1, 9, 4), (4, 3, 2), (4,))
    depthwise = DepthwiseConv()
    uneven = "simd: 6 channels are no multiple of 4"
    assert uneven in refusal(depthwise, (1, 9, 6), (3, 6), (6,))
    assert uneven in refusal(MaxPool((2,), (2,)), (1, 8, 6))
    assert "simd: 5 channels are no multiple of 2" in refusal(
        MaxPool((2,), (2,)), (1, 8, 5), scheme="qmn16"
    )


def said(graph: Graph) -> str:
    """Why simd refuses a graph's only step, which portable takes."""
    with pytest.raises(UnsupportedError) as raised:
        compile_graph(graph, kernels=kernels([SIMD]))
    assert compile_graph(graph).choices["y"].kernel.backend == "portable"
    return str(raised.value)


def test_what_could_overflow_is_refused() -> None:
    """Each guard in words; portable is exact there."""
    small, large = Quant("int16", (2.0**-36,)), Quant("int16", (1.0,), rounding="floor")
    assert "its shift is 36, over 30" in said(between(Add(), small, small, out=large))
    uneven = (Quant("int16", (2.7,)), Quant("int16", (0.1,)))
    assert "are no pair of halfwords" in said(between(Add(), *uneven, out=Quant("int16", (1.0,))))
    far = Quant("int8", (2.0**-14,), zero=-128), Quant("int8", (2.0**-28,), zero=127)
    assert "a sum can reach" in said(between(Add(), *far, out=Quant("int8", (1.0,), zero=-128)))
    mean = AvgPool((8,), (8,))
    fine = Quant("int8", (2.0**-25,), zero=5)
    coarse = Quant("int8", (1.0,), zero=-128)
    assert "a sum can reach" in said(between(mean, fine, out=coarse))
    wide = AvgPool((16, 16), (16, 16))
    assert "a window has 256 elements, over 255" in said(
        between(wide, coarse, out=coarse, shape=(1, 16, 16, 4))
    )
    many = AvgPool((300, 300), (300, 300))
    assert "a sum can reach" in said(between(many, large, out=large, shape=(1, 300, 300, 2)))
    bias = np.array([2**31 - 1, 0, 0, 0, 0])
    x = TensorType((1, 11, 2048), Quant("int8", (1.0,), zero=-128))
    w = np.full((5, 3, 2048), 127, np.int8)  # so many that no output is always the same
    heavy = layer(Conv(), x, w, bias, 2.0**25)
    assert "a folded bias is 2264137727, over int32" in said(heavy)
    bias[0] = 2**31 - 1 - 6144 * 127 * 256
    folded = layer(Conv(), x, w, bias, 2.0**25)
    assert "with what is folded into it a sum can reach" in said(folded)


def test_a_sum_whose_terms_vanish(tmp_path: Path) -> None:
    """Multipliers of 0 are no power of two: a dead branch deploys, and gives the zero point."""
    tiny, out = Quant("int8", (1e-12,)), Quant("int8", (1.0,), zero=3)
    graph = between(Add(), tiny, tiny, out=out)
    fed = {name: np.full((2, 8, 8), limit, np.int8) for name, limit in (("x0", 127), ("x1", -128))}
    one = Trial(compile_graph(graph), fed, interpret(graph, fed))
    assert set(one.reference["y"].ravel().tolist()) == {3}
    with on_host([one], tmp_path) as link:
        check(link, 0, one)


def test_what_reads_indices_is_refused_in_words() -> None:
    """Only a handmade graph has a rectifier there."""
    indices = Quant("int32", (1.0,))
    graph = between(Relu(), indices, out=indices)
    with pytest.raises(UnsupportedError, match="no kernel for Relu; the backends have no relu_s32"):
        compile_graph(graph)


def test_Og_needs_the_plain_loops(tmp_path: Path) -> None:  # noqa: N802  the flag's name
    """gcc defines __OPTIMIZE__ there and finds no immediates."""
    compiled, _ = network("int8", filters=5)
    (source,) = write_sources(compiled.sources, tmp_path)
    flags = (*(f for f in ARM if not f.startswith("-O")), "-Og", "-DMAI_TILES=0")
    compile_quietly(find_tool("arm-none-eabi-gcc"), *STRICT, *flags, "-I", str(tmp_path), "-c",
                    str(source), "-o", str(tmp_path / "model.o"))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "clang"])
def test_assembly_under_any_flags(compiler: str, level: str, tmp_path: Path) -> None:
    """The loops take all registers: frame pointers and other compilers must leave them."""
    target = CLANG_ARM if compiler == "clang" else ARM
    flags = (*(f for f in target if not f.startswith("-O")), level, "-fno-omit-frame-pointer")
    headers = ("-isystem", newlib_headers()) if compiler == "clang" else ()
    for scheme in ("int8", "int16x8", "qmn16"):
        compiled, _ = network(scheme, filters=5)
        assert "mai_conv_simd_" in compiled.sources["model.c"]
        (source,) = write_sources(compiled.sources, tmp_path / scheme)
        compile_quietly(find_tool(compiler), *STRICT, *flags, *headers, "-I", str(source.parent),
                        "-c", str(source), "-o", str(tmp_path / "model.o"))  # fmt: skip


def network(scheme: str, filters: int = 16) -> tuple[Compiled, dict[str, Array]]:
    """The paper's network, untrained."""
    torch.manual_seed(0)
    graph = import_module(ResNetv1_6((9, 128), 6, filters), (torch.zeros(1, 9, 128),))
    reals = samples(graph, 8)
    compiled = compile_graph(quantize_graph(graph, SCHEMES[scheme], reals))
    return compiled, stored(compiled.graph, {k: v[:2] for k, v in reals.items()})


LIMITS = {"int8": 1.4, "qmn8": 1.4, "int16x8": 1.5, "qmn16": 1.4, "qmn16-net": 1.3}
"""Instructions per MAC, a little above what was measured; the best peer has 2.20 and 1.89."""


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("scheme", LIMITS)
def test_instructions_per_mac(scheme: str, qemu: str, tmp_path: Path) -> None:
    """Of the whole network, everything included; exact besides, and small."""
    compiled, inputs = network(scheme)
    board = emulated(load_board("stm32l4"))
    image = build({**compiled.sources, **render_harness([compiled])}, board, tmp_path)
    with connect(image.elf, board, qemu) as link:
        found = measure(link, compiled, inputs, board, lambda _: None, 2)
    reference = interpret(compiled.graph, inputs)
    for name, values in {**found.outputs, **found.layers}.items():
        np.testing.assert_array_equal(values, reference[name])
    assert found.instructions / 333_920 <= LIMITS[scheme]
    assert compiled.plan.arena_bytes <= (6_144 if "8" in scheme[:4] else 12_288)
