# SPDX-License-Identifier: Apache-2.0
"""What ran, as costs: traces, images, windows, boards, powers."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from microai.board import Cache, Power, Region, emulated, load_board, with_clock
from microai.device import plugin as plugin_module
from microai.device.plugin import argument, trace_plugin
from microai.device.trace import Block, Ran, Window, instructions, less, windows
from microai.errors import DeviceError, UsageError
from microai.predict.cost import Cost, Meter, calls, inference, untimed
from microai.predict.image import Function, Image
from microai.predict.prediction import UNCHECKED, predict
from microai.predict.timing import Decoder, block_cycles

ONCE = Ran(1, 0, 0, 0, 0)
L4R5 = emulated(load_board("l4r5"))


def test_traces_are_read_window_by_window() -> None:
    """A block is named once and counted in every window it runs in."""
    text = "block 0 64 3\nran 0 2 1 4 5 6\nmark 64\nmark 80\nran 0 7 0 0 0 0\nmark 64\n"
    block = Block(64, 3)
    assert windows(text) == [
        Window({block: Ran(2, 1, 4, 5, 6)}, 64), Window({}, 80),
        Window({block: Ran(7, 0, 0, 0, 0)}, 64),
    ]  # fmt: skip
    assert instructions(windows(text)[2].ran) == 21
    with pytest.raises(DeviceError, match="expected block, ran or mark"):
        windows("what 1 2\n")


def test_calls_are_between_two_readings() -> None:
    """What runs before, between and behind them is nobody's."""
    marks = [9, 9, 5, 9, 1, 2, 9, 7]
    found = calls([Window({}, mark) for mark in marks], 9)
    assert [[window.mark for window in call] for call in found] == [[9], [1, 2, 9]]


def step(address: int, mark: int) -> Window:
    """One block at an address, until a mark."""
    return Window({Block(address, 1): ONCE}, mark)


def test_windows_go_to_steps() -> None:
    """Also where the compiler left no function of a step, or one of two equal ones."""
    call = [step(0, 10), step(10, 30), step(30, 10), step(10, 99)]
    nothing = [step(0, 99)]
    # 10: first, 20: gone, since it is empty; 30: third; fourth merged with the first
    found = inference(call, nothing, [10, None, 30, None])
    assert found.before == {Block(0, 1): Ran(0, 0, 0, 0, 0)}
    assert [sorted(b.start for b in one) for one in found.steps] == [[10], [], [30], [10]]
    assert instructions(found.whole) == 3


def test_nothing_is_lost_by_a_difference() -> None:
    """Counts may be negative: an empty call has instructions of its own."""
    one, other = {Block(0, 2): Ran(3, 1, 0, 0, 0)}, {Block(4, 5): ONCE}
    assert instructions(less(one, other)) == 6 - 5


def test_functions_are_found_by_address_and_name() -> None:
    """Under the names that gcc gives to what it has cloned, but not to fragments."""
    named = ["a", "b.part.0", "b.constprop.0", "c"]
    functions = tuple(Function(name, 16 * i) for i, name in enumerate(named))
    image = Image(functions, ((0, bytes(range(64))),))
    assert image.function_at(17) == "b.part.0"
    assert (image.start_of("b"), image.start_of("d")) == (32, None)
    assert image.code(62, 8) == bytes([62, 63])
    assert image.code(64, 2) == b""


def decoded(*halfwords: int) -> int:
    code = b"".join(word.to_bytes(2, "little") for word in halfwords)
    decoder = Decoder(lambda address, size: code[address : address + size])
    return block_cycles(decoder.block(0, len(halfwords)))


def test_blocks_meet_where_the_emulator_cuts_them() -> None:
    """Two loads cost three cycles, also with the end of a page between them."""
    load, other = 0x6811, 0x681C  # ldr r1, [r2]; ldr r4, [r3]
    assert decoded(load, other) == 3
    code = b"".join(word.to_bytes(2, "little") for word in (load, other))
    board = L4R5.model_copy(
        update={"clocks": (L4R5.clocks[0].model_copy(update={"wait_states": 0}),)}
    )
    meter = Meter(Image((), ((0, code),)), board)
    cut = {Block(0, 1): Ran(5, 0, 0, 0, 0), Block(2, 1): Ran(5, 5, 0, 0, 0)}
    assert meter.cost(cut).cycles == 5 * 3 + 5 * 2  # the last one is left by a jump


def test_what_is_no_instruction_takes_a_cycle() -> None:
    """Of two or four bytes, as its first halfword says."""
    decoder = Decoder(lambda *_: b"\xff\xff\xff\xff")
    assert [insn.size for insn in decoder.block(0, 2)] == [4, 4]


def test_waits_are_of_code_and_data() -> None:
    """Each missed sector costs the clock's wait states, each further part one cycle."""
    image = Image((), ((0, b"\x00\xbf" * 4),))  # nop
    cost = Meter(image, L4R5).cost({Block(0, 4): Ran(10, 0, 3, 2, 7)})
    assert cost == Cost(40, 40 + 7 + 5 * 5, 5 * 5)


def test_boards_say_why_there_are_no_cycles() -> None:
    """No wait states, or wait states and no cache; without waits a cache says nothing."""
    apollo3 = load_board("apollo3")
    assert untimed(apollo3) == "no public source for apollo3's flash wait states at 48 MHz"
    bare = L4R5.model_copy(update={"cache": None})
    assert untimed(bare) == "l4r5's file describes no [cache] in front of its flash"
    slow = L4R5.clocks[0].model_copy(update={"wait_states": 0})
    assert untimed(bare.model_copy(update={"clocks": (slow,)})) == ""
    assert untimed(L4R5) == ""


def test_predictions_say_what_they_rest_on() -> None:
    """And nulls say why they are."""
    found = predict(Cost(100, 120_000, 5), L4R5, None)
    assert found.latency_ms == 1.0
    assert found.latency_kind == "predicted"
    assert "5 wait states" in found.latency_basis
    assert found.latency_error == L4R5.checked.what
    assert (found.energy_uj, found.energy_kind) == (L4R5.power[0].mw, "predicted")
    assert L4R5.power[0].source in found.energy_basis
    mine = predict(Cost(100, 120_000, 5), L4R5, 20.0)
    assert (mine.energy_uj, mine.energy_kind, mine.energy_basis) == (
        20.0,
        "user",
        "20 mW, as given",
    )
    other = predict(Cost(100, 120_000, 5), with_clock(L4R5, 80), None)
    assert (other.energy_uj, other.energy_kind) == (None, None)  # measured at another clock
    assert "give --power-mw" in other.energy_basis
    none = predict(Cost(100), L4R5, 20.0, "no C compiler")
    assert none.latency_ms is none.latency_kind is none.latency_error is none.energy_uj is None
    assert none.latency_basis == "not predicted: no C compiler"
    assert none.energy_basis == "not predicted: no latency"
    assert predict(Cost(1, 80_000, 0), load_board("stm32l4"), None).latency_error == UNCHECKED
    assert other.latency_error == UNCHECKED  # checked at another clock


def test_clocks_are_the_boards_own() -> None:
    """The chosen one comes first, the others are kept."""
    slow = with_clock(load_board("stm32l4"), 48)
    assert [clock.hz for clock in slow.clocks] == [48_000_000, 80_000_000]
    with pytest.raises(UsageError, match="--clock is 50 MHz; stm32l4 runs at 80, 48"):
        with_clock(load_board("stm32l4"), 50)
    for odd in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="runs at 80, 48"):
            with_clock(load_board("stm32l4"), odd)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"instruction_bytes": 1024, "sector_bytes": 12}, "no multiple of sector_bytes"),
        ({"instruction_bytes": 1000}, "no whole number of lines"),
        ({"unified_bytes": 1024, "ways": 3}, "no whole number of lines and ways"),
        ({"unified_bytes": 1024, "data_bytes": 256}, "stands alone"),
    ],
)
def test_caches_are_whole(sizes: dict, why: str) -> None:
    """What cannot be simulated is refused when the board is read."""
    with pytest.raises(ValidationError, match=why):
        Cache(line_bytes=32, source="x", **sizes)


def test_powers_are_positive() -> None:
    """A board draws something."""
    with pytest.raises(ValidationError):
        Power(hz=1, mw=0, supply="x", source="y")


def test_the_plugins_arguments() -> None:
    """Lines, ways, bytes of a line and a sector; commas of a path doubled, as QEMU wants them."""
    flash = Region(origin=0, bytes=4096, source="x")
    said = argument(Path("/a,b.so"), Path("/out"), flash, L4R5.cache, [7, 9])
    assert said == ("/a,,b.so,out=/out,flash=0:4096,code=32:32:32:8,data=8:8:32:8,mark=7,mark=9")
    shared = Cache(unified_bytes=16384, line_bytes=16, ways=2, source="x")
    assert ",code=1024:2:16:16,data=code," in argument(Path("p"), Path("o"), flash, shared, [1])
    assert "code" not in argument(Path("p"), Path("o"), flash, None, [])


def test_the_plugin_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler it must be there already; where nothing can be kept, a sentence."""
    made = trace_plugin(tmp_path / "kept")
    monkeypatch.setattr(plugin_module, "COMPILERS", ("no-such-compiler",))
    assert trace_plugin(tmp_path / "kept") == made
    with pytest.raises(DeviceError, match="no C compiler for this machine: apt-get install gcc"):
        trace_plugin(tmp_path / "other")
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.undo()
    with pytest.raises(DeviceError, match="cannot write"):
        trace_plugin(tmp_path / "file")
