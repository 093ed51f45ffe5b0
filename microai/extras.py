# SPDX-License-Identifier: Apache-2.0
"""Packages that only some installations have."""

from collections.abc import Iterator
from contextlib import contextmanager

from microai.errors import DeviceError


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """DeviceError with the extra to install, where an import inside fails for lack of a package."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("microai"):
            raise
        install = f"pip install 'microai[{extra}]'"
        raise DeviceError(f"{error.name} is not installed: {install}") from None
