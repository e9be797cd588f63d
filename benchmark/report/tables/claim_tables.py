"""Tables of claim rows: the comparisons that decide the verdicts, and all comparisons made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.claims.sentences import p_text
from benchmark.report.cohorts.cohort import REFERENCE, Cohort
from benchmark.report.cohorts.strongest import STRONGEST, attacks_within_budget
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import percent
from benchmark.report.tables.formats import EMPTY, Entry, Interval, Table, names_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_SUBJECT = ["claim", "objective", "probe", "metric", "population"]
_OUTCOME = ["difference", "ratio", "n", "trainings", "variance", "p", "p, Holm"]
_CAPTION = (
    "interpreter minus equal-budget RTS, paired; 95 % intervals over trainings and sources (over sources alone for one "
    "training); n as samples / sources. Variance: shares of one training's figure that lie between trainings, between "
    "sources, and in neither alone, percent."
)


def claim_table(rows: Sequence[ClaimRow], trainings: Trainings | None = None) -> Table:
    """The rows that decide: each claim's own, its effects, and its sharper form."""
    chosen = [row for row in rows if row.role in ("primary", "effect") or row.population == "wrong - right"]
    entries: list[list[Entry]] = [[*_subject(row), *_outcome(row), row.question, row.verdict] for row in chosen]
    columns = [*_SUBJECT, *_OUTCOME, "question", "verdict"]
    return Table("claims", f"Observation 8: {_CAPTION}", columns, entries, _records(chosen, trainings))


def verdict_table(rows: Sequence[ClaimRow], trainings: Trainings | None = None) -> Table:
    """Every comparison made. Whether a control's answer speaks for or against the claim is in its note."""
    entries: list[list[Entry]] = []
    compared = [row for row in rows if row.role != "overall"]  # those are the page's first table
    for row in compared:
        means = [row.reference, row.value]
        entries.append([*_subject(row), row.role, *means, *_outcome(row), row.question, row.verdict, row.note])
    columns = [*_SUBJECT, "role", "RTS", "value", *_OUTCOME, "question", "verdict", "note"]
    return Table("verdicts", f"All comparisons: {_CAPTION}", columns, entries, _records(compared, trainings))


def _records(rows: Sequence[ClaimRow], trainings: Trainings | None) -> list[list[str]]:
    """Names of the cells of interpreter and reference that each row compares."""
    if trainings is None:
        return []
    return names_of(
        [
            record
            for cohort in trainings.cohorts
            for name in dict.fromkeys((row.interpreter, REFERENCE))
            for record in _compared(cohort, name, row)
        ]
        for row in rows
    )


def _compared(cohort: Cohort, interpreter: str, row: ClaimRow) -> list[Record]:
    if row.probe == STRONGEST:
        return list(attacks_within_budget(cohort, interpreter).values())
    found = cohort.find(interpreter, row.probe, row.level, row.steps_factor)
    return [] if found is None else [found]


def _subject(row: ClaimRow) -> list[Entry]:
    """What was compared; entries of the columns ``_SUBJECT``."""
    steps = f", x{row.steps_factor}" if row.steps_factor > 1 else ""
    return [row.claim, row.objective, f"{row.probe}{percent(row.level)}{steps}", row.metric, row.population]


def _outcome(row: ClaimRow) -> list[Entry]:
    """How it came out; entries of the columns ``_OUTCOME``."""
    difference = Interval(row.difference, row.low, row.high)
    ratio = Interval(row.ratio, row.ratio_low, row.ratio_high)
    size = f"{row.n} / {row.n_sources}"
    return [difference, ratio, size, row.trainings, _shares(row), p_text(row.p), p_text(row.p_holm)]


def _shares(row: ClaimRow) -> str:
    shares = (row.share_trainings, row.share_sources, row.share_rest)
    return " / ".join(f"{100 * share:.0f}" for share in shares if share is not None) or EMPTY
