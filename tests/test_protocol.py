# SPDX-License-Identifier: Apache-2.0
"""The link: damaged, lost, repeated, foreign frames; and the C side of it."""

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from microai.device import host, session
from microai.device.build import build_host
from microai.device.protocol import Link, decode
from microai.errors import DeviceError
from microai.pipeline import compile_graph
from microai.render import render_harness
from microai.samples import stored
from tests.graphs import quantized, samples


def frame(sequence: int, status: int, payload: bytes = b"") -> bytes:
    body = bytes([sequence, status]) + payload
    return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


class Script:
    """A target that answers each request with the next prepared bytes."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.pending = b""

    def read(self, size: int, /) -> bytes:
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def write(self, data: bytes, /) -> None:
        self.requests.append(data)
        self.pending += self.answers.pop(0) if self.answers else b""


def link(*answers: bytes) -> Link:
    return Link(Script(*answers), "desk", timeout_s=0.05, data_bytes=4)


def test_damaged_answer_is_asked_for_again_under_the_same_number() -> None:
    """So that the target repeats its answer and not its work."""
    good = frame(1, 0, struct.pack("<Q", 77))
    one = link(good[:3] + b"\x55" + good[4:], b"garbage\0" + good)
    assert one.run() == 77
    first, second = one.stream.requests
    assert first == second


def test_stale_answers_are_passed_over() -> None:
    """An answer to an older request is not taken for this one."""
    assert link(frame(9, 0, bytes(8)) + frame(1, 0, struct.pack("<Q", 5))).run() == 5


def test_silence_names_the_place_and_what_came() -> None:
    """After three tries."""
    one = link(b"hello?")
    with pytest.raises(
        DeviceError, match=r"desk: no answer to 'X' in 0 s; received last: b'hello\?'"
    ):
        one.run()
    assert len(one.stream.requests) == 3


def test_status_is_an_error() -> None:
    """What the target refuses, it names."""
    with pytest.raises(DeviceError, match="desk: 'S': the model reports an error"):
        link(frame(1, 3, bytes(4))).step(7)


def test_fault_report_is_decoded() -> None:
    """Whenever it comes."""
    report = struct.pack("<5I", 3, 0x8200, 0xDEADBEEF, 0x1234, 0x5678)
    with pytest.raises(DeviceError) as raised:
        link(frame(255, ord("F"), report)).run()
    assert str(raised.value) == (
        "desk: hard fault at pc 0x00001234, lr 0x00005678, CFSR 0x00008200, BFAR 0xdeadbeef"
    )


def test_other_firmware_is_named() -> None:
    """Another protocol version, another model."""
    with pytest.raises(DeviceError, match="speaks protocol 9"):
        link(frame(1, 0, struct.pack("<BHH", 9, 1, 512))).hello()
    with pytest.raises(DeviceError, match="holds model aaaaaaaaaaaa, not bbbbbbbbbbbb"):
        link(frame(1, 0, b"a" * 64)).select(0, "b" * 64)


def test_sequence_numbers_wrap_without_zero_and_255() -> None:
    """Those two are the target's own."""
    one = Link(Echo(), "desk")
    for _ in range(600):
        one.request(b"H")
    assert one.stream.seen == set(range(1, 255))


class Echo:
    """Answers every request with an empty payload."""

    def __init__(self) -> None:
        self.pending = b""
        self.seen: set[int] = set()

    def read(self, size: int, /) -> bytes:
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def write(self, data: bytes, /) -> None:
        body = decode(data.strip(b"\0"))
        assert body
        self.seen.add(body[0])
        self.pending = frame(body[0], 0)


@given(st.binary(max_size=40))
def test_decode_takes_anything(received: bytes) -> None:
    """Noise is not a frame; at worst one in four billion is."""
    assert decode(received) is None or len(received) >= 6


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A host build of a real model."""
    compiled = compile_graph(quantized("residual"))
    sources = {**compiled.sources, **render_harness([compiled])}
    program = build_host(sources, tmp_path_factory.mktemp("target"))
    return compiled, program


def test_the_c_side_survives_noise(target: tuple, tmp_path: Path) -> None:
    """Random bytes, truncated and overlong frames between requests; sanitizers watch."""
    compiled, program = target
    random = np.random.default_rng(0)
    with host.connect(program) as one:
        session.select(one, compiled)
        inputs = stored(compiled.graph, samples(compiled.graph, 1))
        first, _ = session.infer(one, compiled, inputs)
        for size in (1, 5, 100, 700, 5000):
            for zeros in (False, True):
                noise = random.integers(0 if zeros else 1, 256, size).astype(np.uint8)
                one.stream.write(noise.tobytes())
                again, _ = session.infer(one, compiled, inputs)
                np.testing.assert_array_equal(again["softmax"], first["softmax"])


def test_a_new_session_gets_no_old_answer(target: tuple) -> None:
    """Sequence numbers begin again while the target remembers its last."""
    compiled, program = target
    with host.connect(program) as one:
        session.select(one, compiled)
        for _ in range(253):  # until the last request has the number of a new link's first
            one.nothing()
        again = Link(one.stream, "again")
        assert again.hello() == 1


def test_the_c_side_checks_its_arguments(target: tuple) -> None:
    """No read or write leaves the arena, no command is guessed."""
    compiled, program = target
    with host.connect(program) as one:
        one.hello()
        for command, payload in (
            (b"R", struct.pack("<IH", 0, 4)),  # no model selected yet
            (b"M", struct.pack("<H", 1)),
            (b"M", b"\0"),
            (b"?", b""),
        ):
            with pytest.raises(DeviceError, match="unknown command|bad argument"):
                one.request(command, payload)
        session.select(one, compiled)
        size = max(compiled.plan.arena_bytes, 4)
        for offset, count in (
            (size, 1),
            (size - 3, 4),
            (0, 600),
            (0xFFFFFFFF, 1),
            (0xFFFFFFF0, 32),
        ):
            with pytest.raises(DeviceError, match="bad argument"):
                one.request(b"R", struct.pack("<IH", offset, count))
        with pytest.raises(DeviceError, match="bad argument"):
            one.request(b"W", struct.pack("<I", size - 1) + b"ab")
        with pytest.raises(DeviceError, match="the model reports an error"):
            one.step(999)


def test_every_payload_passes_the_c_side(target: tuple) -> None:
    """Zeros, long runs without zeros, every block boundary of COBS."""
    compiled, program = target
    room = compiled.plan.arena_bytes
    with host.connect(program) as one:
        session.select(one, compiled)
        for size in (1, 2, 253, 254, 255, room):
            for data in (bytes(size), b"\1" * size, bytes([i % 256 for i in range(size)])):
                one.write(0, data)
                assert one.read(0, size) == data


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_a_dead_process_is_an_error_with_its_words(pause_s: float, tmp_path: Path) -> None:
    """Not a hang, whether it dies before or after it is written to."""
    program = tmp_path / "dead"
    program.write_text("#!/bin/sh\necho out of order >&2\n")
    program.chmod(0o755)

    def talk() -> None:
        with host.connect(program) as one:
            time.sleep(pause_s)
            one.hello()

    with pytest.raises(DeviceError, match="out of order"):
        talk()
