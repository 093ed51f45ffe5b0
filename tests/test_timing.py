# SPDX-License-Identifier: Apache-2.0
"""Loops whose cycles the manual fixes, run in QEMU and predicted."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from microai.board import Board, emulated, load_board
from microai.device.build import build
from microai.device.plugin import trace_plugin
from microai.device.trace import less, total
from microai.device.tracing import traced
from microai.predict.cost import Meter, calls
from microai.predict.image import read_image

TIMES = 1000
TURN = 4  # SUBS 1, BNE taken 1 + 2


@dataclass(frozen=True)
class Loop:
    """A body with r2 and r3 at words of RAM, r5 at words of flash; cycles of one turn by hand,
    without the turn itself; with 4 wait states, the waits of one turn as well.
    """

    body: str
    cycles: float
    waits: float = 0


LOOPS = {
    "additions": Loop("add r1, r1, #1\n" * 4, 4),
    "one load": Loop("ldr r1, [r2]", 2),
    "four loads": Loop("ldr r1, [r2]\n ldrb r4, [r2, #4]\n ldrsh r6, [r2, r7]\n ldr r1, [r3]", 5),
    "loads of what was loaded": Loop("ldr r3, [r3]\n ldr r3, [r3]", 4),
    "an address just made": Loop("add r2, r2, #0\n ldr r1, [r2]", 1 + 3),
    "an address made before": Loop("add r2, r2, #0\n nop\n ldr r1, [r2]", 1 + 1 + 2),
    "a store to an address just made": Loop("add r2, r2, #0\n str r1, [r2, #8]", 1 + 2),
    "stores": Loop("str r1, [r2, #8]\n strb r1, [r2, #12]", 2),
    "a store with a register": Loop("str r1, [r2, r7]", 2),
    "a load, then a store": Loop("ldr r1, [r2]\n str r1, [r2, #8]", 3),
    "a load, then a store with a register": Loop("ldr r1, [r2]\n str r1, [r2, r7]", 3),
    "a store, then a load": Loop("str r1, [r2, #8]\n ldr r1, [r2]", 1 + 2),
    "LDM of four": Loop("ldm r2, {r1, r4, r6, r12}", 5),
    "STM of three": Loop("stm r2, {r1, r4, r6}", 4),
    "LDRD and STRD": Loop("ldrd r4, r6, [r2]\n strd r4, r6, [r2, #8]", 6),
    "PUSH and POP of four": Loop("push {r1, r4, r6, r12}\n pop {r1, r4, r6, r12}", 10),
    "a branch not taken": Loop("cmp r0, r0\n bne 2f\n 2:", 2),
    "a branch taken": Loop("cmp r0, r0\n beq 2f\n nop\n 2:", 4),
    "a call": Loop("bl 3f\n b 2f\n 3: bx lr\n 2:", 9),
    "SMLAD": Loop("smlad r1, r4, r6, r1\n" * 4, 4),
    "SMLAL, SMMLA, SXTB16, SSAT": Loop(
        "smlal r1, r4, r6, r6\n smmla r1, r4, r6, r1\n sxtb16 r1, r4\n ssat r1, #8, r4", 4
    ),
    "words at halfwords": Loop("ldr r1, [r2, #2]", 3),
    "words at odd bytes": Loop("ldr r1, [r2, #1]\n str r1, [r2, #9]", 4 + 3),
    "halfwords at odd bytes": Loop("ldrh r1, [r2, #1]", 3),
    "float additions": Loop("vadd.f32 s0, s1, s2\n vadd.f32 s3, s4, s5", 2),
    "a float result needed at once": Loop("vmul.f32 s0, s1, s2\n vadd.f32 s3, s0, s5", 3),
    "float, fused and divided": Loop("vfma.f32 s0, s1, s2\n vdiv.f32 s3, s4, s5", 3 + 14),
    "float loads": Loop("vldr s0, [r2]\n vldmia r2, {s4-s7}\n vmov r1, r4, d8", 2 + 5 + 2),
    "words of flash, one after the other": Loop("ldr r1, [r5], #4", 2, 4 / 2),
    "LDM of flash": Loop("ldm r5!, {r1, r4, r6, r12}", 5, 4 * 2),
    "the same words of flash": Loop("ldr r1, [r5]\n ldr r4, [r5, #8]", 3),
    "code larger than the cache": Loop("add.w r1, r1, #1\n" * 300, 300, 4 * 151),
}
MODELS = """
#include "harness.h"
static uint32_t words[64] __attribute__((aligned(8)));
static uint8_t arena[8] __attribute__((aligned(8)));
uint8_t *const harness_arena = arena;
const uint32_t harness_arena_bytes = 8;
extern const uint32_t flash_words[];
const uint32_t flash_words[4096] __attribute__((aligned(32))) = {1};
static int32_t init(void) { words[32] = (uint32_t)(uintptr_t)&words[32]; return 0; }
"""
LOOP = """
int32_t loop%(index)d(int32_t unused);
static uint32_t *volatile at%(index)d = words;
__attribute__((noinline)) int32_t loop%(index)d(int32_t unused)
{
    (void)unused;
    register uint32_t *x __asm("r2") = at%(index)d;
    register uint32_t *y __asm("r3") = at%(index)d + 32;
    register const uint32_t *z __asm("r5") = flash_words;
    __asm volatile("mov r0, #%(times)d\\n mov r7, #16\\n .balign 32\\n"
                   "1: %(body)s\\n subs r0, #1\\n bne.w 1b\\n"
                   : "+r"(x), "+r"(y), "+r"(z) : : "r0", "r1", "r4", "r6", "r7", "r12", "lr", "cc",
                   "s0", "s3", "s4", "s5", "s6", "s7", "memory");
    return 0;
}
"""
ID = "i" * 64


def sources() -> dict[str, str]:
    text = [MODELS]
    for index, loop in enumerate(LOOPS.values()):
        body = loop.body.strip().replace("\n", "\\n ")
        text.append(LOOP % {"index": index, "times": TIMES, "body": body})
    rows = ", ".join(f'{{ "{ID}", init, loop{i}, loop{i} }}' for i in range(len(LOOPS)))
    text.append(f"const int32_t harness_model_count = {len(LOOPS)};")
    text.append(f"const harness_model harness_models[] = {{ {rows} }};")
    return {"models.c": "\n".join(text)}


def measured(board: Board, program: str, folder: Path, cache: Path) -> list[float]:
    """Cycles of one turn of each loop."""
    elf = build(sources(), board, folder).elf
    image = read_image(elf)
    ticks = image.start_of("port_ticks")
    with traced(elf, board, program, trace_plugin(cache), [ticks]) as running:
        running.link.hello()
        running.link.nothing()
        for i in range(len(LOOPS)):
            running.link.select(i, ID)
            running.link.run()
        nothing, *runs = calls(running.windows(), ticks)
    idle = total(window.ran for window in nothing)
    meter = Meter(image, board)
    costs = [meter.cost(less(total(w.ran for w in run), idle)) for run in runs]
    return [cost.cycles / TIMES for cost in costs]


@pytest.mark.qemu
@pytest.mark.parametrize("waiting", [False, True], ids=["no waits", "4 wait states"])
def test_cycles_of_loops(waiting, qemu: str, tmp_path: Path, cache: Path) -> None:
    """Within 2 % of what the manual says, and of what the cache in front of the flash adds."""
    board = emulated(load_board("stm32l4"))
    if not waiting:
        clock = board.clocks[0].model_copy(update={"wait_states": 0})
        board = board.model_copy(update={"clocks": (clock,)})
    found = measured(board, qemu, tmp_path, cache)
    wrong = {}
    for (name, loop), cycles in zip(LOOPS.items(), found, strict=True):
        expected = TURN + loop.cycles + (loop.waits if waiting else 0)
        if abs(cycles / expected - 1) > 0.02:
            wrong[name] = f"{cycles:.2f} cycles a turn, by hand {expected}"
    assert not wrong
