"""Is what is kept still what was made? Checksums, and what records need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmark.storage import paths
from benchmark.storage.artefacts import corruption, is_other_format
from benchmark.storage.record_check import OtherFormat
from benchmark.storage.records import Record, scan_records

# A key of an artefact in the text of a cell.json, whatever the format.
_KEY = re.compile(r"\b[0-9a-f]{8,}\b")


@dataclass(frozen=True)
class Checked:
    """What a check of all files found.

    records: finished and whole. faults: a sentence for every artefact, cache and record that is damaged. unusable: keys
    of artefacts that are damaged or of another format. notes: sentences on what is of another format: that is no fault.
    """

    records: list[Record]
    faults: list[str]
    unusable: set[str]
    notes: list[str]


def check_files(store: Path, results: Path) -> Checked:
    """Compares every artefact, cache and record with its checksums."""
    folders = paths.artefact_folders(store)
    other = [path for path in folders if is_other_format(path)]
    corrupted = {path: fault for path in folders if path not in set(other) and (fault := corruption(path))}
    faults = [f"artefact {path}: {fault}" for path, fault in corrupted.items()]
    faults += _corrupted_caches(store)
    scan = scan_records(results)
    faults += scan.damaged
    for folder in sorted(results.glob("*/")):
        if not folder.name.startswith(".") and not (folder / paths.CELL).exists():
            faults.append(f"the record {folder} has no cell.json: run the cell again")
    notes = [scan.others] if scan.other else []
    if other:
        what = "artefact" if len(other) == 1 else "artefacts"
        notes.append(f"{len(other)} {what} of another version of the suite: not checked")
    return Checked(scan.matching(status="done"), faults, {path.name for path in [*corrupted, *other]}, notes)


def _corrupted_caches(store: Path) -> list[str]:
    """A sentence for every cache of composites whose content is not what was written."""
    from safetensors import SafetensorError

    from benchmark.data.row_file import checked

    faults = []
    for path in paths.composites_files(store):
        try:
            checked(path)
        except (SafetensorError, OSError) as error:
            faults.append(f"the cache {path}: {error}; remove it, it is made again")
    return faults


def named_by_others(records: Iterable[OtherFormat]) -> set[str]:
    """Everything in the cell.json of records of other formats that may be an artefact's key."""
    return {key for record in records for key in _KEY.findall((record.folder / paths.CELL).read_text())}


def unused(store: Path, records: list[Record], further: Iterable[str] = ()) -> list[Path]:
    """Artefacts that no record names, without those of the keys ``further``. What a named one was built on is named by
    the same record.
    """
    needed = {key for record in records for key in record.cell["artefacts"].values()} | set(further)
    return [path for path in paths.artefact_folders(store) if path.name not in needed]


def missing(store: Path, record: Record) -> list[str]:
    """A sentence for every artefact that a record names and the store lacks."""
    there = {path.name for path in paths.artefact_folders(store)}
    return [
        f"record {record.folder.name}: its {name} {key} is not in the store"
        for name, key in record.cell["artefacts"].items()
        if name != "spec" and key not in there
    ]
