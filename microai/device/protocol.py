# SPDX-License-Identifier: Apache-2.0
"""The host's side of the link; firmware/main.c is the other.

A frame is COBS(sequence, command, payload, CRC-32) and a zero byte. A request without an answer is
sent again with the same sequence number, and the target does not do it twice.
"""

import struct
import time
import zlib
from dataclasses import dataclass
from typing import Protocol

from cobs import cobs

from microai.errors import LinkError

VERSION = 1
TRIES = 3
CHUNK_BYTES = 4096  # taken at a time
HEARD_BYTES = 80  # of what came last, for the error
FAULT = (255, ord("F"))
STATUS = {1: "unknown command", 2: "bad argument", 3: "the model reports an error"}


class Stream(Protocol):
    """A serial port, or what behaves like one: read gives b"" when nothing came for a while."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, as soon as there are any."""

    def write(self, data: bytes, /) -> object:
        """All of `data`."""


@dataclass
class Link:
    """A connection to the harness. `timeout_s` is the longest wait for one answer."""

    stream: Stream
    where: str
    timeout_s: float = 20.0
    data_bytes: int = 0
    _sequence: int = 0
    _heard: bytes = b""
    _received: bytes = b""

    def hello(self) -> int:
        """Shake hands; how many models the target holds."""
        version, models, self.data_bytes = self._unpacked("<BHH", b"H")
        if version != VERSION:
            raise LinkError(
                f"{self.where}: firmware speaks protocol {version}, this microai {VERSION}; "
                "build and load the firmware again"
            )
        return models

    def select(self, model: int, model_id: str) -> None:
        """Initialize a model and check that it is the one expected."""
        found = self.request(b"M", struct.pack("<H", model)).decode("ascii", "replace")
        if found != model_id:
            raise LinkError(f"{self.where}: target holds model {found[:12]}, not {model_id[:12]}")

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes into the arena."""
        for start in range(0, len(data), self.data_bytes):
            chunk = data[start : start + self.data_bytes]
            self.request(b"W", struct.pack("<I", offset + start) + chunk)

    def read(self, offset: int, size: int) -> bytes:
        """Get bytes from the arena."""
        parts = [
            self.request(b"R", struct.pack("<IH", offset + at, min(self.data_bytes, size - at)))
            for at in range(0, size, self.data_bytes)
        ]
        return b"".join(parts)

    def run(self) -> int:
        """One inference; its ticks."""
        return self._ticks(b"X")

    def step(self, index: int) -> int:
        """One step; its ticks."""
        return self._ticks(b"S", struct.pack("<H", index))

    def nothing(self) -> int:
        """An empty function; its ticks, which are what measuring costs."""
        return self._ticks(b"Z")

    def stack_peak(self) -> int:
        """Deepest stack since start, in bytes; 0 is unknown."""
        return self._unpacked("<I", b"P")[0]

    def _ticks(self, command: bytes, payload: bytes = b"") -> int:
        return self._unpacked("<Q", command, payload)[0]

    def _unpacked(self, layout: str, command: bytes, payload: bytes = b"") -> tuple[int, ...]:
        """The answer as integers."""
        answer = self.request(command, payload)
        if len(answer) != struct.calcsize(layout):
            raise LinkError(f"{self.where}: {command.decode()!r} answered {answer!r}")
        return struct.unpack(layout, answer)

    def request(self, command: bytes, payload: bytes = b"") -> bytes:
        """Send a command and wait for its answer's payload; LinkError when there is none."""
        self._sequence = self._sequence % 254 + 1
        body = bytes([self._sequence]) + command + payload
        frame = b"\0" + cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"
        for _ in range(TRIES):
            self.stream.write(frame)
            answer = self._await(self._sequence)
            if answer is not None:
                return self._checked(command, answer)
        raise LinkError(
            f"{self.where}: no answer to {command.decode()!r} in {TRIES * self.timeout_s:.0f} s; "
            f"received last: {self._heard!r}"
        )

    def _checked(self, command: bytes, answer: bytes) -> bytes:
        if status := answer[1]:
            raise LinkError(f"{self.where}: {command.decode()!r}: {STATUS.get(status, status)}")
        return answer[2:]

    def _await(self, sequence: int) -> bytes | None:
        """The next whole answer with this sequence number, or None at the deadline."""
        deadline = time.monotonic() + self.timeout_s
        while time.monotonic() < deadline:
            answer = self._next_frame(deadline)
            if answer and (answer[0], answer[1]) == FAULT:
                raise LinkError(f"{self.where}: {_fault(answer[2:])}")
            if answer and answer[0] == sequence:
                return answer
        return None

    def _next_frame(self, deadline: float) -> bytes | None:
        """One undamaged frame, or None."""
        while time.monotonic() < deadline:
            received, end, rest = self._received.partition(b"\0")
            if end:
                self._received = rest
                return decode(received)
            chunk = self.stream.read(CHUNK_BYTES)
            self._received += chunk
            self._heard = (self._heard + chunk)[-HEARD_BYTES:]
        return None


def decode(received: bytes) -> bytes | None:
    """Sequence, status and payload of a frame; None when it is damaged."""
    try:
        body: bytes = cobs.decode(received)
    except cobs.DecodeError:
        return None
    if len(body) < 6 or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    return body[:-4]


def _fault(report: bytes) -> str:
    exception, cfsr, bfar, pc, lr = struct.unpack("<5I", report)
    kind = {3: "hard fault", 4: "memory fault", 5: "bus fault", 6: "usage fault"}
    return (
        f"{kind.get(exception, f'exception {exception}')} at pc 0x{pc:08x}, lr 0x{lr:08x}, "
        f"CFSR 0x{cfsr:08x}, BFAR 0x{bfar:08x}"
    )
