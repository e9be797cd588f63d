"""Transfer cells: adversarial images made against one interpreter or classifier (source), read by another (reader)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmark.storage.records import Record

# Fields of cell.json that the cells of one matrix share, in the order in which its file name states them.
_FIELDS = ("data", "probe", "seed", "data_seed", "split", "budget")
# Settings of the probe that a sweep may vary: each value has its own matrix.
_SWEPT = ("epsilon", "steps", "steps_factor", "samples")


class TransferKey(NamedTuple):
    """One entry of a transfer matrix."""

    source: str  # the interpreter or classifier that was attacked
    reader: str  # the interpreter or classifier that reads the images


TransferCells = dict[TransferKey, Record]


def _probe(record: Record) -> dict[str, Any]:
    return (record.cell.get("config") or {}).get("probe") or {}


def source_of(record: Record) -> str | None:
    """The interpreter or the classifier whose images a cell reads, or None where it was attacked itself."""
    probe = _probe(record)
    if probe.get("surrogate") is not None:
        return str(probe["surrogate"]["label"])
    return None if probe.get("source") is None else str(probe["source"]["name"])


def is_between_classifiers(record: Record) -> bool:
    """Whether the images were made against another classifier, not just against another interpreter of the same."""
    return _probe(record).get("surrogate") is not None


def transfer_cells(records: Sequence[Record]) -> TransferCells:
    """The cells by source and reader; where several share a key, the one that was computed last."""
    oldest_first = sorted(records, key=lambda record: (record.folder / "cell.json").stat().st_mtime_ns)
    return {TransferKey(str(source_of(record)), _reader(record)): record for record in oldest_first}


def superseded_note(records: Sequence[Record], cells: TransferCells) -> list[str]:
    """The page's lines on the cells that later ones replace."""
    shown = {record.folder.name for record in cells.values()}
    left_out = sorted(record.folder.name for record in records if record.folder.name not in shown)
    return [f"Left out, computed at other settings before: {', '.join(left_out)}.", ""] if left_out else []


def by_matrix(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """(slug, cells) of each matrix, by slug: cells that differ in nothing but source and reader."""
    matrices: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        cell, probe = record.cell, _probe(record)
        between = is_between_classifiers(record)
        constant = (cell["interpreter"], _attacked_interpreter(record)) if between else (cell["classifier"],)
        swept = [f"{name}_{probe[name]:g}" for name in _SWEPT if isinstance(probe.get(name), int | float)]
        matrices["-".join(map(str, (*constant, *map(cell.get, _FIELDS), *swept)))].append(record)
    return sorted(matrices.items())


def _attacked_interpreter(record: Record) -> str:
    source = _probe(record).get("source")
    return str(record.cell["interpreter"] if source is None else source["name"])


def _reader(record: Record) -> str:
    return str(record.cell["classifier" if is_between_classifiers(record) else "interpreter"])
