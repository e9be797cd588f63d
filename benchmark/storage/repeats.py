"""What repeats, and how exactly: the classes that docs/reproducibility.md describes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# The same weights measured on another CPU, with another number of threads or another batch size: means of a cell.
MAP_TOLERANCE = 0.005  # of maps, mean L1
RATE_TOLERANCE = 0.01  # of success, and of predictions

_DECIDE = ("threads", "versions", "portable")


def bytes_repeat(cell: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether a record's bytes are promised here: threads, versions and mode are the same, and the device is.

    On CPUs in portable mode the device may be another.

    Args:
        cell: of the record. here: what this process computes with, under the same names.
    """
    devices = [str(each.get("device")) for each in (cell, here)]
    portable = bool(here.get("portable")) and all(device.startswith("CPU") for device in devices)
    return all(cell.get(name) == here.get(name) for name in _DECIDE) and (portable or len(set(devices)) == 1)


def most_otherwise(n: int, *, exact: bool) -> int:
    """How many of n predictions may differ: none, or the tolerance's share, at least one."""
    return 0 if exact else math.ceil(RATE_TOLERANCE * n)
