"""Flagged cells in the report: what withholds a verdict, and what is said beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmark.storage import flags
from benchmark.storage.flags import BEATEN_BY_TRANSFER, BY_NAME, ordered

if TYPE_CHECKING:
    from benchmark.storage.records import Record

MARK = "†"


def flags_of(record: Record) -> list[str]:
    """Names of the cell's flags; see storage/flags.py."""
    return list(record.cell.get("flags") or ())


def withholding(record: Record) -> list[str]:
    """Names of those flags that leave the cell without evidence, so that no verdict rests on it."""
    return flags.withholding(flags_of(record))


def marked(name: str, records: Iterable[Record]) -> str:
    """A name in print, with a dagger where a cell is flagged."""
    return f"{name} {MARK}" if any(flags_of(record) for record in records) else name


def all_flags(records: Iterable[Record]) -> list[str]:
    """Names of the flags of all cells, in the order of ``FLAGS``."""
    return ordered(name for record in records for name in flags_of(record))


def reason(records: Iterable[Record]) -> str:
    """'rtsa under adv2: zero_gradient (2 trainings)', for the cells that no verdict rests on; empty where there are
    none. Of an attack that transferred ones beat, these cells are named."""
    found = Counter(
        f"{record.cell['interpreter']} under {record.cell['probe']}: {_told(record)}"
        for record in records
        if withholding(record)
    )
    return ", ".join(f"{text} ({n} trainings)" if n > 1 else text for text, n in sorted(found.items()))


def _told(record: Record) -> str:
    """The withholding flags of a cell, and the cells that beat its attack."""
    by = f"{BEATEN_BY_TRANSFER} (by {', '.join(record.cell.get('beaten_by') or ())})"
    return ", ".join(by if name == BEATEN_BY_TRANSFER else name for name in withholding(record))


def flag_note(records: Iterable[Record]) -> str:
    """What a caption says of the flagged cells in its table, after a space; empty where all are sound."""
    flagged = [record for record in records if flags_of(record)]
    if not flagged:
        return ""
    meanings = " ".join(f"{name}: {BY_NAME[name].sentence}." for name in all_flags(flagged))
    withheld = reason(flagged)
    return f" {MARK} Flagged{f'; no evidence of robustness ({withheld})' if withheld else ''}. {meanings}"
