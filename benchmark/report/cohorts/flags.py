"""Flagged cells in the report: their attack, or noise, could not do its work, so that they prove no robustness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmark.storage.flags import BY_NAME, ordered

if TYPE_CHECKING:
    from benchmark.storage.records import Record

MARK = "†"


def flags_of(record: Record) -> list[str]:
    """Names of the cell's flags; see storage/flags.py."""
    return list(record.cell.get("flags") or ())


def marked(name: str, record: Record) -> str:
    """A name in print, with a dagger where the cell is flagged."""
    return f"{name} {MARK}" if flags_of(record) else name


def reason(records: Iterable[Record]) -> str:
    """'rtsa under adv2: zero_gradient', for each flagged cell; empty where all are sound."""
    found = {
        f"{record.cell['interpreter']} under {record.cell['probe']}: {', '.join(flags_of(record))}"
        for record in records
        if flags_of(record)
    }
    return ", ".join(sorted(found))


def flag_note(records: Iterable[Record]) -> str:
    """What a caption says of the flagged cells in its table, after a space; empty where all are sound."""
    flagged = [record for record in records if flags_of(record)]
    if not flagged:
        return ""
    names = ordered(name for record in flagged for name in flags_of(record))
    meanings = " ".join(f"{name}: {BY_NAME[name].sentence}." for name in names)
    return f" {MARK} No evidence of robustness ({reason(flagged)}). {meanings}"
