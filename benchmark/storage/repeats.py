"""What repeats, and how exactly: the classes that docs/reproducibility.md describes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# The same weights measured on another CPU, with another number of threads or another batch size: means of a cell.
MAP_TOLERANCE = 0.005  # of maps, mean L1
RATE_TOLERANCE = 0.01  # of success, and of predictions

_DECIDE = ("device", "threads", "versions")


def bytes_repeat(cell: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether a record was made on the same type of machine, with as many threads and the same versions.

    Args:
        cell: of the record. here: what this process computes with, under the same names.
    """
    return all(cell.get(name) == here.get(name) for name in _DECIDE)


def most_otherwise(n: int, *, exact: bool) -> int:
    """How many of n predictions may differ: none, or the tolerance's share, at least one."""
    return 0 if exact else math.ceil(RATE_TOLERANCE * n)
