"""Whether cells were computed to the byte as others were, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.storage.paths import SAMPLES
from benchmark.storage.repeats import bytes_repeat

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def bytes_sentence(own: Sequence[Record], others: Sequence[Record], name: str) -> str:
    """How many cells of the same settings and seed have the same samples to the byte, and what computed either side.

    Compared are the checksums of samples.parquet, which records and published results hold. Where others computed a
    cell more than once, the first whose bytes are promised is taken, or else the first.
    """
    theirs: dict[str, list[Record]] = {}
    for record in others:
        theirs.setdefault(record.cell["cell"], []).append(record)
    pairs = [(mine, _nearest(mine, theirs[mine.cell["cell"]])) for mine in own if mine.cell["cell"] in theirs]
    if not pairs:
        return f"Bytes: no cell here has settings, seed and format of one of {name}."
    same = sum(checksum_of(mine) == checksum_of(other) for mine, other in pairs)
    how_many = "all" if same == len(pairs) else "none" if not same else str(same)
    seeds = ", ".join(str(seed) for seed in sorted({int(mine.cell["seed"]) for mine, _ in pairs}))
    here, there = (_made_on([pair[side] for pair in pairs]) for side in (0, 1))
    start = f"Bytes: {how_many} of the {len(pairs)} cells of seed {seeds} that both have are the same to the byte"
    sides = f"both: {here}" if here == there else f"here: {here}; there: {there}"
    promised = sum(bytes_repeat(mine.cell, other.cell) for mine, other in pairs)
    return f"{start} ({sides}). Promised are the bytes of {promised}, see docs/reproducibility.md."


def _nearest(mine: Record, others: Sequence[Record]) -> Record:
    return next((other for other in others if bytes_repeat(mine.cell, other.cell)), others[0])


def checksum_of(record: Record) -> Any:
    """SHA-256 of the samples."""
    return record.cell["checksums"].get(SAMPLES)


def _made_on(records: Sequence[Record]) -> str:
    """'CPU Intel Xeon, 2 threads, portable mode', every value that occurs."""
    return "; ".join(dict.fromkeys(_surroundings(record.cell) for record in records))


def _surroundings(cell: dict[str, Any]) -> str:
    threads = f"{cell['threads']} thread{'s' if cell['threads'] != 1 else ''}"
    torch = f"torch {cell['versions'].get('torch')}"
    return ", ".join([str(cell["device"]), threads, torch, *(["portable mode"] if cell.get("portable") else [])])
