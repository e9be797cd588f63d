"""Two sets of values compared: what is the same is counted, what is not is named. Knows neither records nor reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

Value = TypeVar("Value")


@dataclass
class Comparison:
    """What was compared so far, how much of it, and every difference found. ``renamed``: {old name: new name}."""

    renamed: dict[str, str] = field(default_factory=dict)
    compared: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def differ(self, where: str, what: str) -> None:
        self.differences.append(f"{where}: {what}")

    def new_name(self, name: str) -> str:
        """Of a path (a.b.c) the whole or any part may have a new name."""
        return self.renamed.get(name) or ".".join(self.renamed.get(part, part) for part in name.split("."))

    def shared(
        self, where: str, old: Mapping[str, Value], new: Mapping[str, Value]
    ) -> Iterator[tuple[str, Value, Value]]:
        """(name, old value, new value) of what both sides have; what only one has is a difference.

        An old name that the new side does not have is looked for under its new name.
        """
        names = {name: name if name in new else self.new_name(name) for name in old}
        for name in sorted(names):
            if names[name] not in new:
                self.differ(where, f"{name or 'a plain value'} is only in OLD")
        for name in sorted(new.keys() - set(names.values())):
            self.differ(where, f"{name or 'a plain value'} is only in NEW")
        for name, now in names.items():
            if now in new:
                yield now, old[name], new[now]

    def fields(self, where: str, old: Any, new: Any) -> None:
        """Values of JSON, nested or not: 1 is not 1.0, and a missing key is not null."""
        for name, before, after in self.shared(where, flat(old), flat(new)):
            if json.dumps(before) != json.dumps(after):
                self.differ(f"{where}: {name}" if name else where, f"{json.dumps(before)} -> {json.dumps(after)}")

    def columns(self, where: str, old: pd.DataFrame, new: pd.DataFrame) -> None:
        """Every column: dtype, missing values and values, row by row. The order of the columns does not matter."""
        before, after = ({str(name): frame[name] for name in frame} for frame in (old, new))
        for name, old_column, new_column in self.shared(where, before, after):
            self.compared["columns"] += 1
            if old_column.dtype != new_column.dtype:
                self.differ(f"{where}: {name}", f"dtype {old_column.dtype} -> {new_column.dtype}")
            elif what := array_difference(old_column.to_numpy(), new_column.to_numpy()):
                self.differ(f"{where}: {name}", what)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": [1]}} -> {"a.b.0": 1}."""
    if not isinstance(value, dict | list) or not value:
        return {prefix: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        leaves |= flat(item, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def array_difference(old: np.ndarray, new: np.ndarray) -> str | None:
    """The difference in words; None where all is the same: dtype, shape, missing values, values, the sign of zeros."""
    if old.dtype != new.dtype:
        return f"dtype {old.dtype} -> {new.dtype}"
    if old.shape != new.shape:
        return f"shape {old.shape} -> {new.shape}"
    missing = pd.isna(old)
    moved = missing != pd.isna(new)
    if moved.any():
        gone, come = _first(moved & missing), _first(moved & ~missing)
        return f"{moved.sum()} missing values moved; first only in OLD: {gone}, first only in NEW: {come}"
    unlike = old != new
    if np.issubdtype(old.dtype, np.floating):
        unlike |= np.signbit(old) != np.signbit(new)
    unlike &= ~missing
    if not unlike.any():
        return None
    place = tuple(np.argwhere(unlike)[0])
    return f"{unlike.sum()} of {unlike.size} values differ, first at {_first(unlike)}: {old[place]!s} -> {new[place]!s}"


def _first(chosen: np.ndarray) -> str:
    """Where the first True is, or "none"."""
    return str(np.argwhere(chosen)[0].tolist()) if chosen.any() else "none"
