# SPDX-License-Identifier: Apache-2.0
"""Where templates, firmware and boards are: beside the package, or inside the installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """The folder `name` of shipped data: codegen_templates, firmware or boards."""
    shipped = PACKAGE / "_shipped" / name
    return shipped if shipped.is_dir() else PACKAGE.parent / name
