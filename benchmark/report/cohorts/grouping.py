"""Partition of records into cohorts, so that only comparable cells are ever pooled or paired.

A cohort shares data set, data seed, classifier, seed, split, budget, versions and the same artefacts of data and
classifier. Where a sweep varied a setting further (``interpreter.lambda_aid``, ``probe.epsilon``), each value is a
cohort of its own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.cohort import IDENTITY, Cohort, CohortKey, level_of, steps_factor_of
from benchmark.report.cohorts.settings import as_text, differing, settings_of
from benchmark.report.cohorts.trainings import Trainings, trainings_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def _identity(record: Record) -> str:
    cell = record.cell
    artefacts = cell.get("artefacts") or {}
    parts = [cell.get(name) for name in IDENTITY]
    return json.dumps(
        [*parts, cell.get("versions"), artefacts.get("data"), artefacts.get("classifier")], sort_keys=True
    )


def _kind(record: Record) -> tuple[Any, ...]:
    return record.cell["interpreter"], record.cell["probe"], level_of(record), steps_factor_of(record)


def _scope(path: str, record: Record) -> tuple[Any, ...]:
    """The cells that a varied setting concerns: an interpreter's setting concerns that interpreter's, and so on."""
    section = path.split(".")[0]
    if section in ("interpreter", "probe"):
        return path, record.cell[section]
    return (path, *_kind(record)) if path == "cell" else (path,)


def _varied(records: Sequence[Record]) -> set[tuple[Any, ...]]:
    """Scopes of the settings in which two cells of one kind differ; the cell's hash where nothing else does."""
    kinds: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        kinds[_kind(record)].append(record)
    return {
        _scope(path, record)
        for alike in kinds.values()
        if len(alike) > 1
        for path in differing([settings_of(record) for record in alike]) or ["cell"]
        for record in alike
    }


def _value(path: str, record: Record) -> Any:
    return record.cell.get("cell") if path == "cell" else settings_of(record).get(path)


def _by_settings(records: Sequence[Record]) -> Iterator[tuple[dict[str, Any], list[Record]]]:
    """One list of cells for each combination of varied settings; cells that a setting does not concern are in each.

    Settings are taken one after the other, and combinations that hold the same cells so far go on as one: a sweep over
    many settings has few different lists of cells, though the product of its values may be in the millions.
    """
    varied = _varied(records)
    combinations: dict[frozenset[int], dict[str, Any]] = {frozenset(range(len(records))): {}}
    for path in sorted({scope[0] for scope in varied}):
        concerned = {i: _value(path, record) for i, record in enumerate(records) if _scope(path, record) in varied}
        text_of = {i: as_text(value) for i, value in concerned.items()}
        value_of = {text_of[i]: value for i, value in reversed(concerned.items())}
        longer: dict[frozenset[int], dict[str, Any]] = {}
        for cells, settings in combinations.items():
            for text in sorted(value_of):
                fitting = frozenset(i for i in cells if text_of.get(i, text) == text)
                if fitting:
                    longer.setdefault(fitting, {**settings, path: value_of[text]})
        combinations = longer
    for cells, settings in combinations.items():
        if not any(cells < other for other in combinations):
            yield settings, [records[i] for i in sorted(cells)]


def identical_setups(records: Sequence[Record]) -> list[Cohort]:
    """Finished records in cohorts that still hold every value of the settings that a sweep varied."""
    by_identity: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.cell.get("status") == "done":
            by_identity[_identity(record)].append(record)
    return [Cohort(CohortKey.of(alike[0]), {}, alike) for _, alike in sorted(by_identity.items())]


def cohorts_of(records: Sequence[Record]) -> list[Cohort]:
    """Finished records in cohorts, ordered by data set, classifier and seed."""
    return [
        Cohort(setup.key, settings, chosen)
        for setup in identical_setups(records)
        for settings, chosen in _by_settings(setup.records)
    ]


def grouped(records: Sequence[Record]) -> list[Trainings]:
    """Finished records, the trainings of one setting together."""
    return trainings_of(cohorts_of(records))
