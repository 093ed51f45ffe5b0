# SPDX-License-Identifier: Apache-2.0
"""Text that must not change unnoticed."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def compare(text: str, name: Path, request: pytest.FixtureRequest) -> None:
    """The text equals the golden file; with --golden it becomes the file."""
    path = FOLDER / name
    if request.config.getoption("--golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; run `make golden` and read the diff"
    assert text == path.read_text(encoding="utf-8"), f"{path} differs; `make golden` rewrites it"
