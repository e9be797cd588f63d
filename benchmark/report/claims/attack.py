"""Claim 2 of Observation 8: ADV2 finds maps close to benign on RTS, and cannot on RTSA.

Each interpreter is attacked with itself in the loop, same budget, images and goals. Primary are all attacked samples,
paired; secondary those where both attacks succeed. PGD stands beside it as a reference, and the same attack at ten
times the steps says whether the attacker was given enough of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.report.claims.rows import ClaimRow, claim_row, finite, notes, pair_notes
from benchmark.report.claims.subject import Subject
from benchmark.report.cohorts.comparability import probe_differences
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.paired import Pairs, pair
from benchmark.report.statistics.sample_metrics import mean_with_interval

if TYPE_CHECKING:
    from benchmark.storage.records import Record

SECONDARY = ("iou_distance", "spearman_distance")
MANY_STEPS = 10
NOT_CONVERGED = "not converged"
NOT_MEASURED = "convergence not measured"
SUCCESS_DIFFERS = "success differs"


def attack_rows(subject: Subject) -> list[ClaimRow]:
    """ADV2 at the stated and at ten times the steps, then PGD as a reference, then the convergence of either cell."""
    rows: list[ClaimRow] = []
    convergence, verdict_note = _convergence(subject)
    for factor in (1, MANY_STEPS):
        cells = subject.cells("adv2", steps_factor=factor)
        if cells is not None:
            note = verdict_note if factor == 1 else f"steps x{MANY_STEPS}"
            rows += _one_attack(subject, cells, "adv2", factor, "primary" if factor == 1 else "convergence", note)
    cells = subject.cells("pgd")
    if cells is not None:
        rows += _one_attack(subject, cells, "pgd", 1, "reference", "PGD does not look at the map")
    return rows + convergence


def _success_row(subject: Subject, pairs: Pairs, probe: str, factor: int, role: str, note: str) -> ClaimRow:
    margins = (-decision_rules.SUCCESS_MARGIN, decision_rules.SUCCESS_MARGIN)
    comparison = pairs.compare("success", pairs.all_samples())
    verdict = decision_rules.inside(comparison.difference, margins)
    return claim_row(
        subject,
        "attack",
        role=role,
        probe=probe,
        steps_factor=factor,
        metric="success",
        population="all",
        comparison=comparison,
        verdict=verdict,
        question=decision_rules.question(margins),
        note=notes(note, pair_notes(pairs, comparison)),
    )


def _one_attack(
    subject: Subject, cells: tuple[Record, Record], probe: str, factor: int, role: str, note: str
) -> list[ClaimRow]:
    pairs = subject.pair(cells)
    success = _success_row(subject, pairs, probe, factor, "control" if role == "primary" else role, "")
    agreeing = (decision_rules.HOLDS, decision_rules.TOO_FEW, decision_rules.WITHHELD)
    success_note = SUCCESS_DIFFERS if success.verdict not in agreeing else ""
    settings = [f"{name} {value} against {reference}" for name, (value, reference) in probe_differences(*cells).items()]
    caveat = notes(note, success_note, f"attack tuned per interpreter: {', '.join(settings)}" if settings else "")
    secondary_role = "secondary" if role == "primary" else role
    rows = []
    for metric, population, row_role in (
        ("map_l1", "all", role),
        ("map_l1", "both succeed", secondary_role),
        *((metric, "all", secondary_role) for metric in SECONDARY),
    ):
        population_N = pairs.all_samples() if population == "all" else pairs.both("success")
        comparison = pairs.compare(metric, population_N)
        rows.append(
            claim_row(
                subject,
                "attack",
                role=row_role,
                probe=probe,
                steps_factor=factor,
                metric=metric,
                population=population,
                comparison=comparison,
                verdict=decision_rules.larger(comparison.difference),
                note=notes(caveat, pair_notes(pairs, comparison)),
            )
        )
    return [*rows, success]


def _convergence(subject: Subject) -> tuple[list[ClaimRow], str]:
    """For each of the two interpreters a row that compares ten times the steps with the stated steps on the same
    samples; and the note on convergence for the claim's own rows."""
    rows, changed, missing = [], [], []
    for interpreter in (subject.reference, subject.interpreter):
        cells = [subject.cohort.find(interpreter, "adv2", steps_factor=factor) for factor in (MANY_STEPS, 1)]
        if cells[0] is None or cells[1] is None:
            missing.append(interpreter)
            continue
        row, change = _change(subject, interpreter, cells[0], cells[1])
        rows.append(row)
        if row.verdict == decision_rules.WITHHELD:
            missing.append(interpreter)
        elif math.isnan(change) or abs(change) > decision_rules.CONVERGENCE_MARGIN:
            changed.append(f"{interpreter} {100 * change:+.0f} %")
    return rows, notes(
        f"{NOT_CONVERGED} (map L1 at {MANY_STEPS} times the steps: {', '.join(changed)})" if changed else "",
        f"{NOT_MEASURED} ({', '.join(missing)})" if missing else "",
    )


def _change(subject: Subject, interpreter: str, many: Record, few: Record) -> tuple[ClaimRow, float]:
    pairs = pair(many, few, subject.bootstrap)
    comparison = pairs.compare("map_l1", pairs.all_samples())
    margins = (1 - decision_rules.CONVERGENCE_MARGIN, 1 + decision_rules.CONVERGENCE_MARGIN)
    ratio = comparison.ratio
    assert ratio is not None  # map_l1 always has one
    row = claim_row(
        subject,
        "attack",
        role="convergence",
        probe="adv2",
        steps_factor=MANY_STEPS,
        metric=f"map_l1 at {MANY_STEPS} times the steps / at the stated steps, {interpreter}",
        population="all",
        comparison=comparison,
        verdict=decision_rules.inside(ratio, margins),
        question=f"ratio within [{margins[0]:g}, {margins[1]:g}]",
        note="" if abs(ratio.value - 1) <= decision_rules.CONVERGENCE_MARGIN else NOT_CONVERGED,
    )
    return row, ratio.value - 1


def premise_rows(subject: Subject) -> list[ClaimRow]:
    """On RTS itself: ADV2's map L1 is at most half of PGD's. Concerns the reference alone, whatever the objective."""
    cells = [subject.cohort.find(subject.reference, probe) for probe in ("adv2", "pgd")]
    if cells[0] is None or cells[1] is None:
        return []
    pairs = pair(cells[0], cells[1], subject.bootstrap)
    comparison = pairs.compare("map_l1", pairs.all_samples())
    assert comparison.ratio is not None
    success = mean_with_interval(cells[0], "success", subject.bootstrap)
    return [
        claim_row(
            subject,
            "attack",
            role="premise",
            probe="adv2",
            metric="map_l1 of adv2 / of pgd",
            population="all",
            comparison=comparison,
            verdict=decision_rules.inside(comparison.ratio, (-math.inf, decision_rules.PREMISE_RATIO)),
            question=f"ratio at most {decision_rules.PREMISE_RATIO:g}",
            note=f"ADV2 succeeds on {finite(success.value)} [{finite(success.low)}, {finite(success.high)}]",
            interpreter=subject.reference,
        )
    ]
