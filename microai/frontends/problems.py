# SPDX-License-Identifier: Apache-2.0
"""Everything in a model that cannot be deployed, in one message."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from microai.errors import ShapeError, UnsupportedError
from microai.frontends.builder import RefusedError

T = TypeVar("T")


@dataclass
class Problems:
    """Collects a sentence for each place."""

    sentences: list[str] = field(default_factory=list)

    def guard(self, place: str, read: Callable[[], T]) -> T | None:
        """What a step of an import gives; None where it refuses, which is noted for its place."""
        try:
            with np.errstate(all="ignore"):  # what is not finite then, `verify` finds
                return read()
        except (RefusedError, ShapeError) as error:
            self.sentences.append(f"{place}: {error}")
            return None

    def report(self) -> None:
        """UnsupportedError with all sentences, where there are any."""
        if self.sentences:
            lines = "\n  ".join(dict.fromkeys(self.sentences))
            raise UnsupportedError(f"cannot deploy this network:\n  {lines}")
