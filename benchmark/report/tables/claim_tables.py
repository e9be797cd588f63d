"""Tables of claim rows: the comparisons that decide the verdicts, and all comparisons made."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.claims.sentences import p_text
from benchmark.report.labels import percent
from benchmark.report.tables.formats import EMPTY, Entry, Table, number

_SUBJECT = ["claim", "objective", "probe", "metric", "population"]
_OUTCOME = ["difference", "ratio", "n", "trainings", "variance", "p", "p, Holm"]
_CAPTION = (
    "interpreter minus equal-budget RTS, paired; 95 % intervals over trainings and sources (over sources alone for one "
    "training); n as samples / sources. Variance: shares of one training's figure that lie between trainings, between "
    "sources, and in neither alone, percent."
)


def claim_table(rows: Sequence[ClaimRow]) -> Table:
    """The rows that decide: each claim's own, its effects, and its sharper form."""
    chosen = [row for row in rows if row.role in ("primary", "effect") or row.population == "wrong - right"]
    entries: list[list[Entry]] = [[*_subject(row), *_outcome(row), row.question, row.verdict] for row in chosen]
    return Table("claims", f"Observation 8: {_CAPTION}", [*_SUBJECT, *_OUTCOME, "question", "verdict"], entries)


def verdict_table(rows: Sequence[ClaimRow]) -> Table:
    """Every comparison made. Whether a control's answer speaks for or against the claim is in its note."""
    entries: list[list[Entry]] = []
    for row in rows:
        if row.role == "overall":
            continue  # the page's first table
        means = [row.reference, row.value]
        entries.append([*_subject(row), row.role, *means, *_outcome(row), row.question, row.verdict, row.note])
    columns = [*_SUBJECT, "role", "RTS", "value", *_OUTCOME, "question", "verdict", "note"]
    return Table("verdicts", f"All comparisons: {_CAPTION}", columns, entries)


def _subject(row: ClaimRow) -> list[Entry]:
    """What was compared; entries of the columns ``_SUBJECT``."""
    steps = f", x{row.steps_factor}" if row.steps_factor > 1 else ""
    return [row.claim, row.objective, f"{row.probe}{percent(row.level)}{steps}", row.metric, row.population]


def _outcome(row: ClaimRow) -> list[Entry]:
    """How it came out; entries of the columns ``_OUTCOME``."""
    difference = _interval(row.difference, row.low, row.high)
    ratio = _interval(row.ratio, row.ratio_low, row.ratio_high)
    size = f"{row.n} / {row.n_sources}"
    return [difference, ratio, size, row.trainings, _shares(row), p_text(row.p), p_text(row.p_holm)]


def _shares(row: ClaimRow) -> str:
    shares = (row.share_trainings, row.share_sources, row.share_rest)
    return " / ".join(f"{100 * share:.0f}" for share in shares if share is not None) or EMPTY


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return EMPTY if value is None else f"{number(value)} [{number(low)}, {number(high)}]"
