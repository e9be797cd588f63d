"""Claim 3 of Observation 8: on benign inputs RTSA behaves like RTS. An equivalence claim, never "not significant".

It holds iff every 95 % bound lies inside the fixed margins of ``decision_rules.MARGINS``. Distance to the common
starting point RTS0 is compared with the distance that the equal-budget RTS itself drifted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.report.claims.rows import ClaimRow, claim_row, notes, pair_notes
from benchmark.report.claims.subject import Subject
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import NOTHING
from benchmark.report.statistics.paired import Comparison

OPTIONAL = "object_iou"  # only where the data set has masks


def harmless_rows(subject: Subject) -> list[ClaimRow]:
    """One row a margin and one that combines them; nothing where a clean cell is missing."""
    cells = subject.cells("clean")
    if not cells:
        return []
    pairs = subject.pair(cells)
    rows, mask_note = [], ""
    for metric, margins in decision_rules.MARGINS.items():
        comparison = pairs.compare(metric, pairs.all_samples())
        if metric == OPTIONAL and comparison.difference.n == 0:
            mask_note = "no object masks"
            continue
        rows.append(
            claim_row(
                subject,
                "harmless",
                role="primary",
                metric=metric,
                population="all",
                comparison=comparison,
                verdict=decision_rules.inside(comparison.difference, margins),
                p=decision_rules.p_inside(comparison.difference, margins),
                question=decision_rules.question(margins),
                note=pair_notes(pairs, comparison),
            )
        )
    return [*rows, _overall(subject, rows, mask_note)]


def _overall(subject: Subject, rows: list[ClaimRow], note: str) -> ClaimRow:
    smallest = min(rows, key=lambda row: row.n)
    trainings = min(row.trainings for row in rows)
    no_estimate = replace(NOTHING, n=smallest.n, n_sources=smallest.n_sources, trainings=trainings)
    unmeasured = [row.metric for row in rows if row.n == 0]
    row = claim_row(
        subject,
        "harmless",
        role="overall",
        metric="all",
        population="all",
        comparison=Comparison(no_estimate, None, np.nan, np.nan),
        verdict=decision_rules.conjunction([row.verdict for row in rows]),
        question="every bound inside its margins",
        note=notes(note, f"not measured: {', '.join(unmeasured)}" if unmeasured else ""),
    )
    return replace(row, verdict=decision_rules.conjunction([row.verdict for row in rows]))
