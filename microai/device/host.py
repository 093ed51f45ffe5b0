# SPDX-License-Identifier: Apache-2.0
"""Run the host build of the firmware: the same protocol over a socket pair."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from microai.device.protocol import Link
from microai.errors import LinkError

POLL_S = 0.1
LAST_WORDS_S = 2.0  # of a process that has failed


class SocketStream:
    """A socket as a Stream."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(POLL_S)
        self._end = end

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; LinkError when the other side is gone."""
        try:
            data = self._end.recv(size)
        except TimeoutError:
            return b""
        except ConnectionError:
            data = b""
        if not data:
            raise LinkError("the process ended")
        return data

    def write(self, data: bytes, /) -> None:
        """All of `data`; LinkError when the other side is gone."""
        try:
            self._end.sendall(data)
        except ConnectionError:
            raise LinkError("the process ended") from None


@contextmanager
def connect(program: Path, timeout_s: float = 20.0) -> Iterator[Link]:
    """Start the program; the link is its standard input and output."""
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(program)], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=log
        )
        theirs.close()
        try:
            yield Link(SocketStream(ours), "host", timeout_s)
        except LinkError as error:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WORDS_S)
            log.seek(0)
            said = log.read().decode("utf-8", "replace")[:2000]
            raise LinkError(f"{error}: {said}") from None
        finally:
            process.kill()
            process.wait()
