"""From records to rows: the trainings of one setting are one row an interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmark.leaderboard.entry import Entry, Numbers, ThreatModel
from benchmark.report.claims.harmless import harmless_rows
from benchmark.report.claims.subject import Subject
from benchmark.report.cohorts.cohort import REFERENCE, fact_of, is_rtsa, objective_of
from benchmark.report.cohorts.flags import all_flags
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.settings import as_text, settings_of
from benchmark.report.cohorts.strongest import STRONGEST, attacks_within_budget
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import mean_with_interval, passes_of
from benchmark.report.tables.effect_table import attacked_cells, effects
from benchmark.report.transfer.beaten import with_beaten_flags
from benchmark.report.transfer.transfer_cells import source_of
from benchmark.storage.records import Record

# Of the settings of a method: what says where it ran, or which training it was, is left out.
_METHOD = ("data", "classifier", "interpreter", "budget")


def entries_of(
    records: Sequence[Record], *, by: str, source: str, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> list[Entry]:
    """The rows of finished cells, those of smoke runs and of transferred images left out."""
    chosen = [
        record
        for record in records
        if record.cell.get("status") == "done" and record.cell.get("budget") != "smoke" and not source_of(record)
    ]
    found: dict[tuple[str, ...], Entry] = {}
    for trainings in grouped(with_beaten_flags(chosen, records, bootstrap)):
        for interpreter in trainings.interpreters:
            cells = attacked_cells(trainings, interpreter, STRONGEST)
            if cells:
                entry = _entry(trainings, interpreter, cells, by, source, bootstrap)
                found.setdefault((entry.method, as_text(entry.threat.__dict__), as_text(entry.seeds)), entry)
    return list(found.values())


def _entry(
    trainings: Trainings,
    interpreter: str,
    cells: list[tuple[Record, Record | None]],
    by: str,
    source: str,
    bootstrap: Bootstrap,
) -> Entry:
    key, tried = trainings.key, list(_tried(trainings, interpreter))
    first = tried[0]
    config = first.cell["config"]
    own = settings_of(first)
    accuracy = [value for record, _ in cells if (value := fact_of(record, "accuracy")) is not None]
    training = str(config["classifier"].get("label", "")).removeprefix(config["classifier"].get("architecture", ""))
    return Entry(
        threat=threat_of(tried),
        classifier=str(config["classifier"].get("architecture", key.classifier)),
        training=training.strip("_") or "standard",
        interpreter=REFERENCE if is_rtsa(interpreter) else interpreter,
        defence=f"AID, {objective_of(interpreter)} objective" if is_rtsa(interpreter) else "none",
        settings={path: value for path, value in trainings.settings.items() if own.get(path) == value},
        method=method_of(first),
        accuracy=float(np.mean(accuracy)) if accuracy else None,
        harm=_harm(trainings, interpreter, bootstrap),
        reported=numbers_of(cells, _names(tried), bootstrap, by),
        trainings=len(cells),
        seeds=[int(record.cell["seed"]) for record, _ in cells],
        by=by,
        source=source,
        provenance=_provenance(tried),
    )


def _tried(trainings: Trainings, interpreter: str) -> Iterator[Record]:
    for cohort in trainings.cohorts:
        yield from attacks_within_budget(cohort, interpreter).values()


def _names(tried: Sequence[Record]) -> str:
    names = {
        f"{r.cell['probe']}" + (f" x{r.cell['steps_factor']}" if (r.cell.get("steps_factor") or 1) > 1 else "")
        for r in tried
    }
    return ", ".join(sorted(names))


def threat_of(tried: Sequence[Record]) -> ThreatModel:
    """The threat model of the attacks that were tried within one budget."""
    cell = tried[0].cell
    probes = [record.cell["config"]["probe"] for record in tried]
    automatic = [int(probe["passes"]) for probe in probes if probe.get("passes")]
    steps = [int(probe["steps"]) * int(probe.get("steps_factor") or 1) for probe in probes if probe.get("steps")]
    epsilon = probes[0].get("epsilon")
    return ThreatModel(
        data=str(cell["data"]),
        data_seed=int(cell["data_seed"]),
        split=str(cell["split"]),
        budget=str(cell["budget"]),
        epsilon=None if epsilon is None else float(epsilon),
        passes=max(automatic or steps or [0]),
    )


def numbers_of(cells: list[tuple[Record, Record | None]], attack: str, bootstrap: Bootstrap, by: str) -> Numbers:
    """(attacked cell, clean cell) of each training as numbers."""
    attacks = [record for record, _ in cells]
    found = dict(effects(cells, bootstrap))
    alarm = found["pair_alarm_auc"]
    return Numbers(
        joint_success=found["joint_success"],
        success=mean_with_interval(attacks, "success", bootstrap),
        map_l1=mean_with_interval(attacks, "map_l1", bootstrap),
        pair_alarm_auc=alarm if alarm.n else None,
        attack=attack,
        passes=passes_of(attacks),
        flags=tuple(all_flags(attacks)),
        by=by,
    )


def method_of(record: Record) -> str:
    """What defines the method whose trainings a cell is of: its settings without seeds and probes, as text."""
    settings = settings_of(record)
    return as_text({path: value for path, value in settings.items() if _defines(path)})


def _defines(path: str) -> bool:
    names = path.split(".")
    is_of_a_training = names[-1] == "seed" and names[0] != "data"
    return names[0] in _METHOD and not is_of_a_training and path != "interpreter.attack_weight"


def _harm(trainings: Trainings, interpreter: str, bootstrap: Bootstrap) -> str:
    """The word of claim 3, and the object IoU beside it; empty where there is nothing to compare with."""
    if not is_rtsa(interpreter) or REFERENCE not in trainings.interpreters:
        return ""
    rows = harmless_rows(Subject(trainings, interpreter, bootstrap))
    if not rows:
        return ""
    overlap = next((row for row in rows if row.metric == "object_iou" and row.difference is not None), None)
    word = f"harmless: {rows[-1].verdict}"
    return word if overlap is None else f"{word}; object IoU {overlap.difference:+.3f}"


def _provenance(tried: Sequence[Record]) -> str:
    """'NVIDIA H200, torch 2.11.0, commit 8ead622cadca', each value that occurs."""

    def values(pick: Any) -> str:
        return ", ".join(sorted({str(found) for record in tried if (found := pick(record.cell))}))

    parts = [
        values(lambda cell: cell.get("device")),
        f"torch {values(lambda cell: (cell.get('versions') or {}).get('torch'))}",
        f"commit {values(lambda cell: cell.get('commit'))}",
    ]
    return ", ".join(part for part in parts if part)
