# SPDX-License-Identifier: Apache-2.0
"""Serial ports, real ones and sockets alike."""

from collections.abc import Iterator
from contextlib import contextmanager

import serial
from serial.tools import list_ports

from microai.board import Board
from microai.device.protocol import Link
from microai.errors import LinkError

POLL_S = 0.1
BAUD = 115200


@contextmanager
def connect(url: str, where: str, timeout_s: float) -> Iterator[Link]:
    """A link over a port name or socket:// URL."""
    try:
        with serial.serial_for_url(url, baudrate=BAUD, timeout=POLL_S) as stream:
            yield Link(stream, where, timeout_s)
    except serial.SerialException as error:
        raise LinkError(f"{where}: the link broke: {error}") from None


def attached(board: Board) -> list[str]:
    """Ports whose USB ids are those of the board's adapter."""
    wanted = board.serial.usb_ids if board.serial else ()
    return [
        port.device
        for port in list_ports.comports()
        if port.vid is not None and f"{port.vid:04x}:{port.pid:04x}" in wanted
    ]
