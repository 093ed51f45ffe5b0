# SPDX-License-Identifier: Apache-2.0
"""Where templates, firmware and boards are: beside the package, or inside the installed wheel; and
where what took time is kept.
"""

from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """The folder `name` of shipped data: codegen_templates, firmware or boards."""
    shipped = PACKAGE / "_shipped" / name
    return shipped if shipped.is_dir() else PACKAGE.parent / name


def cache_dir() -> Path:
    """The user's folder for what can be made again."""
    return user_cache_path("microai")
