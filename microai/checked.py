# SPDX-License-Identifier: Apache-2.0
"""TOML and JSON files checked when read, every problem in one message."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from microai.errors import UsageError


class Strict(BaseModel):
    """Frozen, and no key that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Checked = TypeVar("Checked", bound=Strict)


def load_toml(path: Path, kind: type[Checked]) -> Checked:
    """The file's content, or UsageError with all that is wrong with it."""
    return _load(path, kind, tomllib.loads, "TOML")


def load_json(path: Path, kind: type[Checked]) -> Checked:
    """As `load_toml`."""
    return _load(path, kind, json.loads, "JSON")


def _load(path: Path, kind: type[Checked], parse: Callable[[str], Any], language: str) -> Checked:
    try:
        return kind.model_validate(parse(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise UsageError(f"{path.name}: {problems(error)}") from None
    except (ValueError, RecursionError) as error:  # of TOML, JSON, UTF-8, or too large a number
        raise UsageError(f"{path.name}: not {language}: {error}") from None


def problems(error: ValidationError) -> str:
    """Every problem a check found, in one line."""
    return "; ".join(_problem(each["loc"], each["msg"]) for each in error.errors())


def _problem(place: tuple[int | str, ...], message: str) -> str:
    """Where it is, unless it is of the whole file, and what."""
    own = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, place))}: {own}" if place else own
