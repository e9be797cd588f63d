"""Claim 1 of Observation 8: on inputs that noise makes the classifier get wrong, RTSA's map moves further than RTS's.

L1 also grows with any added sensitivity, with a mere change of class and with the map's area. So beside the claim
stand the difference in differences (wrong − right), the map of the new class without noise, and random-sign noise.
"""

from __future__ import annotations

from benchmark.report.claims.rows import ClaimRow, claim_row, notes, pair_notes
from benchmark.report.claims.subject import Subject
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.paired import Comparison, Pairs

DISTANCES = ("map_l1", "iou_distance", "spearman_distance")
EXPECTED = (("normal", 0.03), ("normal", 0.3), ("uniform", 0.03), ("uniform", 0.3))


def noise_rows(subject: Subject) -> list[ClaimRow]:
    """Rows for every noise kind and level that both interpreters have, and the random-sign control."""
    rows: list[ClaimRow] = []
    for probe, level in subject.trainings.noises:
        cells = subject.cells(probe, level)
        if cells:
            rows += _one_noise(subject, subject.pair(cells), probe, level)
    return rows + _random_sign(subject)


def _one_noise(subject: Subject, pairs: Pairs, probe: str, level: float) -> list[ClaimRow]:
    wrong_N, right_N = pairs.both("success"), pairs.neither("success")
    n_disagreeing = int((~(wrong_N | right_N)).sum())
    caveat = f"{n_disagreeing} samples left out: the two cells disagree on the prediction" if n_disagreeing else ""

    def row(role: str, metric: str, population: str, comparison: Comparison, note: str = "") -> ClaimRow:
        return claim_row(
            subject,
            "noise",
            role=role,
            metric=metric,
            population=population,
            comparison=comparison,
            verdict=decision_rules.larger(comparison.difference),
            probe=probe,
            level=level,
            note=notes(note, caveat, pair_notes(pairs, comparison)),
        )

    rows = [
        row("primary" if metric == "map_l1" else "secondary", metric, "wrong", pairs.compare(metric, wrong_N))
        for metric in DISTANCES
    ]
    gap = pairs.compare_populations("map_l1", wrong_N, right_N)
    counts = f"n wrong {int(wrong_N.sum())}, right {int(right_N.sum())}"
    rows.append(row("control", "map_l1", "wrong - right", gap, f"difference in differences, {counts}"))
    rows.append(row("control", "map_l1", "right", pairs.compare("map_l1", right_N), "same noise, prediction kept"))
    for metric, note in (
        ("control_class_l1", "map of the new class, no noise: what a mere change of class does"),
        ("class_excess", "map L1 beyond a mere change of class"),
    ):
        rows.append(row("control", metric, "wrong", pairs.compare(metric, wrong_N), note))
    return rows


def _random_sign(subject: Subject) -> list[ClaimRow]:
    cells = subject.cells("sign")
    if not cells:
        return []
    pairs = subject.pair(cells)
    comparison = pairs.compare("map_l1", pairs.all_samples())
    return [
        claim_row(
            subject,
            "noise",
            role="control",
            probe="sign",
            metric="map_l1",
            population="all",
            comparison=comparison,
            verdict=decision_rules.larger(comparison.difference),
            note=notes(
                "random-sign noise of the attack's size: sensitivity of any kind", pair_notes(pairs, comparison)
            ),
        )
    ]
