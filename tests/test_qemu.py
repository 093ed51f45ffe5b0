# SPDX-License-Identifier: Apache-2.0
"""The emulator: exact counts, faults that report themselves, hangs that end."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import microai.device.qemu as qemu_module
from microai.board import emulated, load_board
from microai.device.build import build
from microai.device.protocol import Link
from microai.device.qemu import connect, instructions
from microai.errors import DeviceError
from tests.conftest import QEMU10

BOARD = emulated(load_board("stm32l4"))

MODELS_C = r"""
#include "harness.h"
static uint8_t arena[8] __attribute__((aligned(8)));
uint8_t *const harness_arena = arena;
const uint32_t harness_arena_bytes = 8;

/* 2 n + 1 instructions: n times SUBS and BNE, then BX */
int32_t loop(int32_t n);
__asm(".text\n.syntax unified\n.thumb\n.thumb_func\n.global loop\n"
      "loop: subs r0, #1\n bne loop\n bx lr\n");

static int32_t init(void) { return 0; }
static volatile uint8_t *volatile unmapped = (volatile uint8_t *)0x70000000;

static int32_t deep(int32_t n)
{
    volatile uint8_t frame[128];
    frame[0] = (uint8_t)n;
    return n < 0 ? 0 : deep(n + 1) + frame[0];
}

static int32_t run(int32_t unused)
{
    (void)unused;
    BODY
    return 0;
}
const int32_t harness_model_count = 1;
const harness_model harness_models[] = {{ "ID", init, run, loop }};
"""


@contextmanager
def firmware(body: str, folder: Path, qemu: str, timeout_s: float = 2.0) -> Iterator[Link]:
    """A hand-written model: `step(n)` is a loop of known length, `run` is the body."""
    sources = {"models.c": MODELS_C.replace("BODY", body).replace("ID", "i" * 64)}
    if "deep" not in body:
        text = sources["models.c"]
        sources["models.c"] = re.sub(r"static int32_t deep.*?\n}\n", "", text, flags=re.DOTALL)
    if "unmapped" not in body:
        sources["models.c"] = re.sub(r"static volatile.*;\n", "", sources["models.c"])
    built = build(sources, BOARD, folder)
    with connect(built.elf, BOARD, qemu, timeout_s) as link:
        link.hello()
        link.select(0, "i" * 64)
        yield link


@pytest.mark.qemu
def test_qemu_10_is_among_the_versions() -> None:
    """Where it is not, this one line says so for every test."""
    if not QEMU10.exists():
        pytest.skip("QEMU 10: NOT TESTED, run `make qemu10` first")
    said = subprocess.run([QEMU10, "--version"], capture_output=True, text=True, check=True).stdout
    assert "version 10." in said


@pytest.mark.qemu
def test_counts_are_exact(qemu: str, tmp_path: Path) -> None:
    """Loops whose length the code fixes read exactly that, every time."""
    with firmware("", tmp_path, qemu) as link:
        nothing = link.nothing()  # with mov and bx of its own, which every reading loses
        for n in (*range(1, 60), 1000, 65535):
            expected = 2 * n + 1
            for _ in range(2):
                assert instructions(link.step(n), nothing, BOARD) + 2 == expected


@pytest.mark.slow
@pytest.mark.qemu
def test_counts_do_not_wrap(tmp_path: Path) -> None:
    """Past 2**32 ticks of the timer, which are 1.34e9 instructions."""
    program = "qemu-system-arm"
    with firmware("loop(100);", tmp_path / "short", program) as link:
        short = instructions(link.run(), link.nothing(), BOARD)
    with firmware("loop(1000000100);", tmp_path / "long", program, timeout_s=60) as link:
        long = instructions(link.run(), link.nothing(), BOARD)
    assert 0 <= long - short - 2_000_000_000 <= 1  # the larger constant may take a MOVT


@pytest.mark.qemu
def test_counts_agree_with_one_instruction_a_nanosecond(qemu: str, tmp_path, monkeypatch) -> None:
    """-icount shift=0 sees the same, at its timer's 40 instructions a tick."""
    with firmware("", tmp_path, qemu) as link:
        exact = [instructions(link.step(n), link.nothing(), BOARD) for n in (1000, 65535)]
    monkeypatch.setattr(qemu_module, "ICOUNT_SHIFT", 0)
    monkeypatch.setattr(qemu_module.arguments, "__defaults__", (0,))
    with firmware("", tmp_path / "0", qemu) as link:
        coarse = [40 * link.step(n) for n in (1000, 65535)]
    assert all(abs(a - b) <= 80 for a, b in zip(exact, coarse, strict=True))


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('__asm volatile("udf #0");', "usage", "CFSR 0x00010000"),
        ("*unmapped = 1;", "bus", "BFAR 0x70000000"),
        ("return deep(0);", "memory", "CFSR 0x000000"),
    ],
    ids=["undefined", "unmapped", "stack_overflow"],
)
def test_faults_report_themselves(
    body: str, kind: str, words: str, qemu: str, tmp_path: Path
) -> None:
    """With the fault's kind and place, instead of a timeout."""
    with (
        pytest.raises(DeviceError, match=re.escape(words)) as raised,
        firmware(body, tmp_path, qemu) as link,
    ):
        link.run()
    assert f"qemu stm32l4: {kind} fault at pc 0x0000" in str(raised.value)


@pytest.mark.qemu
def test_a_hang_ends_at_the_deadline(qemu: str, tmp_path: Path) -> None:
    """And says what was last heard."""
    with (
        pytest.raises(
            DeviceError, match=r"no answer to 'X' in 3 s; received last: .*; QEMU printed"
        ),
        firmware("for (volatile int i = 1; i;) { }", tmp_path, qemu, timeout_s=1.0) as link,
    ):
        link.run()


# pyserial leaves its socket to the garbage collector when the other side is gone at once
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.qemu
def test_a_qemu_that_dies_is_an_error_with_its_words(tmp_path: Path) -> None:
    """As with an image it cannot load."""
    elf = tmp_path / "no.elf"
    elf.write_bytes(b"not an image")
    with pytest.raises(DeviceError, match="QEMU printed"), connect(elf, BOARD) as link:
        link.hello()


def test_a_missing_qemu_says_how_to_install(tmp_path: Path) -> None:
    """Before anything is started."""
    with pytest.raises(DeviceError, match="no-such-qemu not found; install it"):
        connect(tmp_path / "x.elf", BOARD, "no-such-qemu").__enter__()
