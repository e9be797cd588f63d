"""A forecast in sentences, and for a script."""

from __future__ import annotations

from typing import Any

from benchmark.planning.forecast import Cost, Forecast
from benchmark.planning.kept_times import Span


def amount(cost: Cost) -> str:
    """'3.2 h (2 h to 5 h), 1.4 GB'."""
    parts = []
    if cost.seconds.high:
        parts.append(span(cost.seconds))
    if cost.unknown:
        parts.append("time not known" if not parts else "and more, not known")
    return ", ".join([*parts, size(cost.bytes)])


def short(cost: Cost) -> str:
    """'3.2 h, 1.4 GB'; a + after the time where not all of it is known."""
    more = "+" if cost.unknown else ""
    time = f"{duration(cost.seconds.likely)}{more}, " if cost.seconds.high else "?, " if cost.unknown else ""
    return time + size(cost.bytes)


def span(found: Span) -> str:
    """The likely duration, and the range."""
    return f"{duration(found.likely)} ({duration(found.low)} to {duration(found.high)})"


def duration(seconds: float) -> str:
    """Two digits of a duration, in the unit that suits it."""
    for unit, length, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 100)):
        if seconds < most * length:
            return f"{_two_digits(seconds / length)} {unit}"
    return f"{_two_digits(seconds / 86400)} days"


def size(count: float) -> str:
    """Two digits of a number of bytes, in MB or GB."""
    return f"{_two_digits(count / 1e9)} GB" if count >= 1e9 else f"{_two_digits(count / 1e6)} MB"


def _two_digits(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def sentences(found: Forecast) -> list[str]:
    """What is left in all: by one process, by several at a time, on disk, and what is not known."""
    where = found.machine if found.faster == 1 else f"a device {found.faster:g} times as fast as {found.machine}"
    told = [f"left to do: {amount(found.total)}; by one process on {where}"]
    if found.jobs > 1 and found.wall.high:
        told.append(f"with {found.jobs} processes at a time: {span(found.wall)} until the end")
    told += [f"dear: a {label} takes {_two_digits(n)} times a forward pass" for label, n in sorted(found.dear.items())]
    if found.unknown:
        names = ", ".join(dict.fromkeys(loop.label for loop in found.unknown[:3]))
        more = f" and {len(found.unknown) - 3} more" if len(found.unknown) > 3 else ""
        told.append(f"not in it, because no time of it is known here: {names}{more}")
    if not found.fits:
        told.append(
            f"the disk has no room for it: {size(found.total.bytes)} are needed and {size(found.free)} are free: name "
            "another folder (paths.store, paths.results), or delete what no record needs (gc)"
        )
    else:
        told.append(f"on disk: {size(found.total.bytes)} of the {size(found.free)} that are free, without W&B's files")
    return told


def forecast_json(found: Forecast) -> dict[str, Any]:
    """The totals: seconds as low, likely and high."""
    return {
        **{"machine": found.machine, "jobs": found.jobs, "faster": found.faster},
        **{"seconds": found.total.seconds, "seconds_until_the_end": found.wall},
        **{"bytes": found.total.bytes, "bytes_free": found.free, "fits": found.fits},
        **{"unknown": [loop.label for loop in found.unknown], "dear": found.dear},
    }
