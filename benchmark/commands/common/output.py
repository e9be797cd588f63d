"""What a command has found, for people or for a script: messages go to standard error, JSON to standard output."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

_wanted: list[bool] = []


def want_json() -> None:
    """From now on :func:`tell_json` prints: --json was given."""
    _wanted.append(True)


def json_is_wanted() -> bool:
    """Whether --json was given."""
    return bool(_wanted)


def tell_json(found: dict[str, Any]) -> None:
    """Prints one JSON object if --json was given, else nothing. Numbers that are not finite are null."""
    if json_is_wanted():
        print(json.dumps(_plain(found), indent=1, allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    if isinstance(value, float) and value - value != 0:
        return None
    return value
