# SPDX-License-Identifier: Apache-2.0
"""Generated C as a user meets it: clean on both compilers, from C and C++, safe to misuse."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microai.device import session
from microai.device.build import ARM, RELEASE, STRICT, find_tool, write_sources
from microai.fixedpoint import quantize
from microai.frontends.torch import import_module
from microai.graph import replace_node
from microai.interpret import interpret
from microai.ops import Mul
from microai.paths import data_dir
from microai.pipeline import compile_graph, quantize_graph
from microai.quantize.scheme import SCHEMES, Scheme, named
from microai.render import Compiled, literal, render_harness
from microai.samples import stored, with_statistics
from tests import networks
from tests.graphs import GRAPHS, Sketch, quantized, samples
from tests.ladder import Trial, on_host, trials
from tests.library import CONTRACT

CLANG_ARM = (
    "--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard",
    "-ffunction-sections",
)  # fmt: skip


def newlib_headers() -> str:
    """Where arm-none-eabi-gcc finds <stdint.h>'s neighbours."""
    gcc = find_tool("arm-none-eabi-gcc")
    text = subprocess.run([gcc, "-print-file-name=nano.specs"], capture_output=True, text=True,
                          check=True).stdout.strip()  # fmt: skip
    folders = [Path("/usr/include/newlib"), Path(text).parents[1] / "include"]
    return str(next(folder for folder in folders if (folder / "math.h").exists()))


def compile_quietly(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    assert not done.stderr, done.stderr[:2000]


@pytest.mark.parametrize(
    "compiler",
    ["gcc", *(pytest.param(c, marks=pytest.mark.slow) for c in ("clang", "arm gcc", "arm clang"))],
)
@pytest.mark.parametrize(
    ("scheme", "backend"),
    [
        ("f32", "portable"),
        ("int8", "simd"),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in (
                ("int8", "portable"),
                ("qmn16", "simd"),
                ("int16x8", "simd"),
                ("int16x8", "cmsis_nn"),
            )
        ),
    ],
)
def test_everything_compiles_without_a_warning(
    compiler: str, scheme: str, backend: str, tmp_path: Path
) -> None:
    """Every case's model, the harness and the ports, with -Wall -Wextra -Wconversion -Werror."""
    compiled = [one.compiled for one in trials(scheme, backend).values()]
    sources = render_harness(compiled)
    for one in compiled:
        sources |= one.sources
    files = write_sources(sources, tmp_path) + sorted(data_dir("firmware").rglob("*.c"))
    if "arm" in compiler:
        files = [f for f in files if f.name not in ("host.c", "trace.c")]
    else:
        files = [f for f in files if f.name not in ("startup.c", "mps2.c")]
    tool, flags = {
        "gcc": ("gcc", ("-O2",)),
        "clang": ("clang", ("-O2",)),
        "arm gcc": ("arm-none-eabi-gcc", (*ARM, *RELEASE)),
        "arm clang": ("clang", (*CLANG_ARM, "-isystem", newlib_headers())),
    }[compiler]
    include = ("-I", str(tmp_path), "-I", str(data_dir("firmware")), "-isystem", str(CONTRACT))
    compile_quietly(find_tool(tool), *STRICT, *flags, *include, "-fsyntax-only", *map(str, files))


def test_header_is_c_plus_plus(tmp_path: Path) -> None:
    """The header serves C++ as it is."""
    write_sources(compile_graph(quantized("shared")).sources, tmp_path)
    (tmp_path / "use.cpp").write_text(
        '#include "model.h"\n'
        'static_assert(MODEL_ARENA_BYTES > 0, "");\n'
        "int8_t first(model_context *c) { return model_run(c) ? 0 : *model_output0(c); }\n"
    )
    compile_quietly(
        find_tool("clang"), "-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror",
        "-fsyntax-only", str(tmp_path / "use.cpp"),
    )  # fmt: skip


MISUSE = r"""
#include "model.h"
#include <stdio.h>
static uint8_t arena[MODEL_ARENA_BYTES + 8] __attribute__((aligned(8)));
#define EXPECT(call, status) \
    if ((call) != (status)) { printf("line %d\n", __LINE__); failed = 1; }
int main(void)
{
    int failed = 0;
    model_context c = {0};
    EXPECT(model_run(&c), MODEL_ERROR_NULL)
    EXPECT(model_run(NULL), MODEL_ERROR_NULL)
    EXPECT(model_init(NULL, arena, sizeof arena), MODEL_ERROR_NULL)
    EXPECT(model_init(&c, NULL, sizeof arena), MODEL_ERROR_NULL)
    EXPECT(model_init(&c, arena, MODEL_ARENA_BYTES - 1), MODEL_ERROR_ARENA_SIZE)
    EXPECT(model_init(&c, arena + 1, MODEL_ARENA_BYTES), MODEL_ERROR_ARENA_ALIGN)
    EXPECT(model_init(&c, arena, MODEL_ARENA_BYTES), MODEL_OK)
    EXPECT(model_step(&c, -1), MODEL_ERROR_STEP)
    EXPECT(model_step(&c, MODEL_STEPS), MODEL_ERROR_STEP)
    EXPECT(model_run(&c), MODEL_OK)
    for (size_t i = 0; i < MODEL_INPUT_SIZE; i++) {
        model_input(&c)[i] = (int8_t)(MODEL_INPUT_ZERO + (int)(1.0f / MODEL_INPUT_SCALE));
    }
    EXPECT(model_run(&c), MODEL_OK)
    return failed;
}
"""


def test_misuse_returns_a_status(tmp_path: Path) -> None:
    """NULL, too small, misaligned, no such step; then a real run, sanitized."""
    files = write_sources(compile_graph(quantized("residual")).sources, tmp_path)
    main = tmp_path / "main.c"
    main.write_text(MISUSE)
    program = str(tmp_path / "misuse")
    compile_quietly(
        find_tool("gcc"), "-std=c99", "-fsanitize=address,undefined", "-g", "-I", str(tmp_path),
        str(main), *map(str, files), "-lm", "-o", program,
    )  # fmt: skip
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


HALVES = r"""
#include "model.h"
#include <stdio.h>
int main(void)
{
    for (int i = -3000; i <= 3000; i++) {
        printf("%d\n", model_input_quantize((float)i * STEP));
    }
    printf("%d\n", model_input_quantize(0.0f / 0.0f));
    return 0;
}
"""


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
@pytest.mark.parametrize("scheme", ["int8", "qmn16"])
def test_the_header_quantizes_as_the_reference(rounding, scheme, tmp_path: Path) -> None:
    """At half steps, beyond the limits, at NaN."""
    graph = GRAPHS["residual"]()
    graph = quantize_graph(graph, named(scheme, rounding), samples(graph))
    write_sources(compile_graph(graph).sources, tmp_path)
    quant = graph["x"].type.stored
    step = np.float32(quant.scale[0] / 8)
    (tmp_path / "halves.c").write_text(HALVES.replace("STEP", literal(float(step))))
    program = str(tmp_path / "halves")
    compile_quietly("gcc", "-std=c99", str(tmp_path / "halves.c"), "-o", program)
    found = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    reals = np.append(np.arange(-3000, 3001).astype(np.float32) * step, np.float32(np.nan))
    assert [int(q) for q in found] == quantize(reals, quant).tolist()


def run_on_host(compiled: Compiled, tmp_path: Path) -> None:
    """Every layer on the host equals the reference."""
    inputs = stored(compiled.graph, samples(compiled.graph, 3))
    reference = interpret(compiled.graph, inputs)
    with on_host([Trial(compiled, inputs, reference)], tmp_path) as link:
        session.select(link, compiled)
        for number, sample in enumerate(session.samples(inputs)):
            for name, value in session.infer_steps(link, compiled, sample).values.items():
                np.testing.assert_array_equal(value[0], reference[name][number])


@pytest.mark.parametrize("name", GRAPHS)
def test_every_layer_on_the_host(name: str, tmp_path: Path) -> None:
    """Memory planned in place, read between steps."""
    run_on_host(compile_graph(quantized(name)), tmp_path)


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
@pytest.mark.parametrize("name", ["decoder", "signal"])
def test_every_layer_of_an_imported_network(name: str, scheme: str, tmp_path: Path) -> None:
    """Parts, joins and what else moves elements, over each other's memory."""
    kind, shape = networks.NETWORKS[name]
    graph = import_module(networks.shaken(kind()), (torch.zeros(shape),))
    run_on_host(compile_graph(quantize_graph(graph, SCHEMES[scheme], samples(graph))), tmp_path)


def test_products_of_shifted_int16_are_64_bit(tmp_path: Path) -> None:
    """Two distances of up to 65535 from a zero point; no named scheme has them."""
    s = Sketch()
    graph = s.graph(s.op("y", Mul(), s.input("a", 1, 37), s.input("b", 1, 37)))
    positive = {name: np.abs(array) for name, array in samples(graph).items()}
    compiled = compile_graph(quantize_graph(graph, Scheme("int16", "int16"), positive))
    assert "mai_mul_s16_wide(" in compiled.sources["model.c"]
    run_on_host(compiled, tmp_path)


def test_weights_in_ram_and_state_in_the_arena(tmp_path: Path) -> None:
    """The other two storage classes give the same numbers."""
    graph = quantized("shared")
    graph = replace_node(
        graph, replace(graph["w"], place="ram"), replace(graph["relu"], place="state")
    )
    compiled = compile_graph(graph)
    assert "static int8_t model_w_w[" in compiled.sources["model.c"]
    assert "#define MODEL_STATE_BYTES 8" in compiled.sources["model.h"]
    assert "memset" in compiled.sources["model.c"]
    run_on_host(compiled, tmp_path)


def test_header_says_what_the_caller_must_know() -> None:
    """Sizes, quantization, normalization, identity."""
    graph = quantized("residual")
    graph = with_statistics(graph, samples(graph))
    header = compile_graph(graph, "net").sources["net.h"]
    quant = graph["x"].type.stored
    assert f"#define NET_INPUT_SCALE {literal(quant.scale[0])}" in header
    assert f"#define NET_INPUT_ZERO ({quant.zero})" in header
    assert "#define NET_INPUT_SHAPE { 1, 8, 8, 2 }" in header
    assert header.count("#define NET_INPUT_MEAN {") == header.count("#define NET_INPUT_STD {") == 1
    assert "#define NET_OUTPUT_SIZE 3" in header


def test_literals() -> None:
    """Numbers that C reads as they were."""
    assert literal(-(2**31)) == "(-2147483647 - 1)"
    assert literal(1.0) == "1.0f"
    assert literal(1e-30) == "1e-30f"
    assert np.float32(float(literal(0.1)[:-1])) == np.float32(0.1)
    assert literal(float("-inf")) == "-INFINITY"
    assert literal(value=True) == "1"
