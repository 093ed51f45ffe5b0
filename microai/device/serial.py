# SPDX-License-Identifier: Apache-2.0
"""Serial ports that boards are attached to."""

from serial.tools import list_ports

from microai.board import Board


def attached(board: Board) -> list[str]:
    """Ports whose USB ids are those of the board's adapter."""
    wanted = board.serial.usb_ids if board.serial else ()
    return [
        port.device
        for port in list_ports.comports()
        if port.vid is not None and f"{port.vid:04x}:{port.pid:04x}" in wanted
    ]
