# SPDX-License-Identifier: Apache-2.0
"""How the user hears from us: errors, each class with its exit code, and progress."""

from collections.abc import Callable

Tell = Callable[[str], None]
"""Where progress goes, a line at a time."""


class MicroaiError(Exception):
    """What is wrong, where, what was expected, what to do; `exit_code` is the process's."""

    exit_code = 2


class UsageError(MicroaiError):
    """An option, a file or an array is not what the command needs."""


class DivergedError(UsageError):
    """A network in training holds what is no number, or what no storage can hold."""


class UnsupportedError(MicroaiError):
    """The model holds something that cannot be deployed."""

    exit_code = 3


class ShapeError(UnsupportedError):
    """Shapes that an op cannot combine."""


class DoesNotFitError(MicroaiError):
    """The image is larger than the board's flash or RAM."""

    exit_code = 4


class DeviceError(MicroaiError):
    """A board, an emulator or a tool is missing or did not do its work."""

    exit_code = 5


class LinkError(DeviceError):
    """A target does not answer, or not as it should."""


class MismatchError(MicroaiError):
    """The target's outputs differ from the reference."""

    exit_code = 6
