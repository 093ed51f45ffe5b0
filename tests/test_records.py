# SPDX-License-Identifier: Apache-2.0
"""What is kept comes back for the same settings, and for no others."""

import json
from pathlib import Path

import pytest

from microai import records
from microai.records import keep, recall


def test_recalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuples are lists in files; another setting or version is nothing, and so is damage."""
    path, settings = tmp_path / "made.json", {"widths": (1, 2), "rate": 0.1}
    assert recall(path, settings) is None
    keep(path, settings, {"seconds": 2.5})
    assert recall(path, settings) == {"seconds": 2.5}
    assert recall(path, {**settings, "rate": 0.2}) is None
    content = path.read_text()
    for damaged in ("", "[]", "{}", content[:-9], json.dumps({"settings": 1, "found": 2}), "\xff"):
        path.write_text(damaged, encoding="latin-1")
        assert recall(path, settings) is None
    path.write_text(content)
    monkeypatch.setattr(records, "__version__", "9.9")
    assert recall(path, settings) is None
