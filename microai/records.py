# SPDX-License-Identifier: Apache-2.0
"""What took time, kept with the settings it was found with, and taken again for the same ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microai import __version__
from microai.files import write_file


def recall(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was kept with these settings by this version; None for anything else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        known, found = record["settings"], record["found"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if known == _plain(settings) and isinstance(found, dict) else None


def keep(path: Path, settings: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """For `recall`."""
    text = json.dumps({"settings": _plain(settings), "found": found}, indent=1)
    write_file(path, lambda file: file.write(text.encode()))


def _plain(settings: Mapping[str, Any]) -> Any:
    """As JSON reads it back, with the version."""
    return json.loads(json.dumps({"microai": __version__, **settings}))
