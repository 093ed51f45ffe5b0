# SPDX-License-Identifier: Apache-2.0
"""Every boards/*.toml is sound, and builds and fits as its emulator."""

import hashlib
from pathlib import Path

import pytest

from microai.board import board_names, emulated, load_board
from microai.device.build import build
from microai.errors import UsageError
from microai.pipeline import compile_graph
from microai.render import render_harness
from tests.graphs import quantized

ROOT = Path(__file__).parent.parent


@pytest.mark.qemu
@pytest.mark.parametrize("name", board_names())
def test_board_builds(name: str, tmp_path: Path) -> None:
    """With the board's own sizes, whatever the emulator has."""
    board = load_board(name)
    target = emulated(board)
    assert target.memory.flash.bytes == board.memory.flash.bytes
    assert target.memory.ram.bytes == board.memory.ram.bytes
    compiled = compile_graph(quantized("residual"))
    firmware = build({**compiled.sources, **render_harness([compiled])}, target, tmp_path)
    script = (tmp_path / "link.ld").read_text(encoding="utf-8")
    assert f"LENGTH = {board.memory.ram.bytes}" in script
    assert 0 < firmware.flash_bytes < board.memory.flash.bytes
    assert compiled.plan.arena_bytes < firmware.ram_bytes < board.memory.ram.bytes


def test_unknown_board_lists_the_boards() -> None:
    """So that the next try is right."""
    with pytest.raises(UsageError) as raised:
        load_board("nucleo")
    assert str(raised.value) == (
        "unknown board 'nucleo'; boards: apollo3, l4r5, mps2-an386, stm32l4"
    )


def test_every_problem_in_one_message(tmp_path: Path) -> None:
    """Missing, unknown and wrong keys together."""
    text = (ROOT / "boards" / "stm32l4.toml").read_text(encoding="utf-8")
    text = text.replace('chip = "STM32L452RE"', 'flavour = "x"').replace("cortex-m4f", "m4")
    text = text.replace("bytes = 524288", "bytes = -1")
    path = tmp_path / "stm32l4.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        load_board(str(path))
    for words in ("chip: Field required", "flavour", "cpu", "memory.flash.bytes"):
        assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_facts_have_sources(tmp_path: Path) -> None:
    """A region, clock, cache or UART without one is refused."""
    text = (ROOT / "boards" / "l4r5.toml").read_text(encoding="utf-8")
    lines = text.splitlines()
    sources = [i for i, line in enumerate(lines) if line.startswith("source")]
    assert len(sources) >= 6
    for i in sources:
        path = tmp_path / "l4r5.toml"
        path.write_text("\n".join(lines[:i] + lines[i + 1 :]), encoding="utf-8")
        with pytest.raises(UsageError, match="source: Field required"):
            load_board(str(path))


RULES = (
    "microai/predict/timing.py", "microai/predict/cost.py", "firmware/qemu/trace.c",
    "firmware/qemu/cache.h",
)  # fmt: skip


@pytest.mark.parametrize("name", board_names())
def test_what_was_checked_are_these_rules(name: str) -> None:
    """A rule that has changed since makes the claim another version's: check again, or drop it."""
    rules = hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in RULES)).hexdigest()
    checked = load_board(name).checked
    assert checked is None or checked.rules == rules[:16]


def test_not_toml(tmp_path: Path) -> None:
    """A sentence, not a traceback."""
    path = tmp_path / "x.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(UsageError, match="not TOML"):
        load_board(str(path))
