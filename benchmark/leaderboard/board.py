"""All entries together: results that ship with the suite, bundles that were entered, and what re-checks found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.leaderboard.bundle import Bundle, read_bundle
from benchmark.leaderboard.check import faults_of
from benchmark.leaderboard.entry import Entry, Numbers, ThreatModel
from benchmark.leaderboard.rows import entries_of, method_of, numbers_of, threat_of
from benchmark.report.cohorts.strongest import strongest
from benchmark.report.published.pack import read_pack, scan_results
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.storage.atomic import write_atomic
from benchmark.storage.hashing import sha256_file
from benchmark.storage.records import Record

CHECK_FORMAT = 1
_AUTHORS = "the suite"  # of results that ship with it


@dataclass(frozen=True)
class Board:
    """Tables by threat model, the best defence first; and a sentence on everything that was left out."""

    tables: Sequence[tuple[ThreatModel, Sequence[Entry]]]
    notes: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        tables: list[dict[str, Any]] = [
            {"threat_model": dict(vars(threat), title=threat.title), "entries": [entry.as_dict() for entry in entries]}
            for threat, entries in self.tables
        ]
        return {"format": 1, "tables": tables, "notes": list(self.notes)}


def build(results: Sequence[Path], bundles: Path | None = None, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Board:
    """The board of folders of results, published or one's own, and of a folder of bundles.

    Raises:
        ValueError: a folder without any result. OSError: one that is not there.
    """
    entries: list[Entry] = []
    notes: list[str] = []
    for folder in results:
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}: name folders of results, or published ones")
        scan = scan_results(folder)
        found = entries_of(scan.records, by=_author(folder), source=folder.name, bootstrap=bootstrap)
        if not found:
            raise ValueError(f"{folder} holds no finished cell of an attack on an interpreter")
        notes += [f"{folder.name}: {sentence}" for sentence in (*scan.damaged, *([scan.others] if scan.other else []))]
        entries += found
    read: list[tuple[Path, Bundle, dict[str, Any] | None]] = []
    for path in sorted(bundles.glob("*.zip")) if bundles is not None else ():
        try:
            bundle = read_bundle(path)
            check = read_check(path)
            if faults := [*faults_of(bundle), *((check or {}).get("faults") or ())]:
                notes.append(f"{path.name} is left out: {faults[0]}")
                continue
            read.append((path, bundle, check))
        except (ValueError, OSError) as error:
            notes.append(f"{path.name} is left out: {error}")
    for path, bundle, check in read:
        if bundle.kind == "defence":
            own = entries_of(bundle.records, by=bundle.by, source=path.name, bootstrap=bootstrap)
            entries += [replace(entry, name=bundle.name, url=bundle.url, rechecked=_summary(check)) for entry in own]
    for path, bundle, check in read:
        if bundle.kind == "attack":
            entries, matched = with_external(entries, bundle, _summary(check) is not None, bootstrap)
            if not matched:
                notes.append(f"{path.name}: no entry has the method and the threat model that {bundle.name} attacks")
    tables: dict[ThreatModel, list[Entry]] = {}
    for entry in entries:
        tables.setdefault(entry.threat, []).append(entry)
    ordered = sorted(tables.items(), key=lambda item: (item[0].split == "calibration", item[0].title))
    return Board([(threat, sorted(rows, key=_rank)) for threat, rows in ordered], notes)


def _rank(entry: Entry) -> tuple[float, float]:
    """The fewest joint successes first; of equals the more accurate."""
    value = entry.strongest.joint_success.value
    return (value if np.isfinite(value) else 1.0, -(entry.accuracy or 0.0))


def _author(folder: Path) -> str:
    """Whose results they are: those that ship with the suite say their version."""
    try:
        return f"{_AUTHORS}, {read_pack(folder).version}"
    except ValueError:
        return "unpublished records"


def with_external(
    entries: Sequence[Entry], bundle: Bundle, rechecked: bool, bootstrap: Bootstrap
) -> tuple[list[Entry], bool]:
    """The entries, those that a bundle attacks with its numbers beside their own; and whether there is any."""
    numbers = external_numbers(bundle, rechecked, bootstrap)
    found, matched = [], False
    for entry in entries:
        for (method, threat), each in numbers.items():
            same = replace(threat, passes=0) == replace(entry.threat, passes=0)
            if method == entry.method and same:
                entry, matched = replace(entry, external=(*entry.external, each)), True
        found.append(entry)
    return found, matched


def external_numbers(bundle: Bundle, rechecked: bool, bootstrap: Bootstrap) -> dict[tuple[str, ThreatModel], Numbers]:
    """What an attack's bundle says, by method and threat model: for each sample the best of its attacks."""
    by_training: dict[tuple[str, ThreatModel], dict[int, list[Record]]] = {}
    for record in bundle.records:
        if "goal" in record.samples:
            key = method_of(record), replace(threat_of([record]), passes=0)
            by_training.setdefault(key, {}).setdefault(int(record.cell["seed"]), []).append(record)
    found = {}
    for key, trainings in by_training.items():
        cells: list[tuple[Record, Record | None]] = [(strongest(records), None) for records in trainings.values()]
        numbers = numbers_of(cells, bundle.name, bootstrap, bundle.by)
        found[key] = replace(numbers, rechecked=rechecked)
    return found


def _summary(check: dict[str, Any] | None) -> dict[str, Any] | None:
    """The means over the cells that a re-check measured again; None without any."""
    cells = [cell for cell in (check or {}).get("cells", ()) if cell]
    if not cells or check is None:
        return None
    names = ("joint_success", "success", "map_l1")
    means = {name: float(np.mean([cell["here"][name] for cell in cells])) for name in names}
    return {**means, "cells": len(cells), "machine": str(check.get("machine", ""))}


def check_file(path: Path) -> Path:
    """Where the outcome of a re-check of a bundle lies."""
    return path.with_name(f"{path.name}.check.json")


def write_check(path: Path, found: dict[str, Any]) -> Path:
    """Writes the outcome of a re-check beside the bundle, bound to its bytes."""
    target = check_file(path)
    content = {"format": CHECK_FORMAT, "bundle": sha256_file(path), **found}
    write_atomic(target, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return target


def read_check(path: Path) -> dict[str, Any] | None:
    """The outcome of the re-check of these very bytes, which whoever keeps the board has made; None without one."""
    target = check_file(path)
    if not target.is_file():
        return None
    try:
        found = json.loads(target.read_text(encoding="utf-8"))
    except ValueError:
        return None
    is_of_these = isinstance(found, dict) and found.get("format") == CHECK_FORMAT
    return found if is_of_these and found.get("bundle") == sha256_file(path) else None
