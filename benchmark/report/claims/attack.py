"""Claim 2 of Observation 8: ADV2 finds maps close to benign on RTS, and cannot on RTSA, which so gives the attack away.

Each interpreter is attacked with itself in the loop, same budget, images and goals, and judged under the strongest
attack: for each sample the best of all attacks tried on it. Primary are all attacked samples, paired; secondary those
where both attacks succeed. What the distance is worth is said by two effects: joint success (the class is reached and
the map looks benign) and the pair alarm. Plain ADV2 and PGD stand beside.
"""

from __future__ import annotations

import math

from benchmark.report.claims.rows import ClaimRow, claim_row, finite, notes, pair_notes, select_rows
from benchmark.report.claims.subject import CellPairs, Subject
from benchmark.report.cohorts.cohort import steps_factor_of
from benchmark.report.cohorts.comparability import probe_differences
from benchmark.report.cohorts.strongest import STRONGEST, attacks_within_budget
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.pair_alarm import PairAlarm, auc, pair_alarm
from benchmark.report.statistics.paired import Pairs, pair
from benchmark.report.statistics.sample_metrics import mean_with_interval

SECONDARY = ("iou_distance", "spearman_distance")
SUCCESS_DIFFERS = "success differs"
FALL = (-math.inf, -decision_rules.JOINT_SUCCESS_FALL)
ALARM = (decision_rules.ALARM_AUC, math.inf)


def attack_rows(subject: Subject) -> list[ClaimRow]:
    """The strongest attack with its effects, then every attack by itself, PGD as a reference."""
    cells = subject.strongest
    rows = _strongest_rows(subject, cells) + _effect_rows(subject, cells) if cells else []
    for probe, factor in tried(subject):
        alone = subject.cells(probe, steps_factor=factor)
        if alone:
            plain = probe == "pgd"
            role, note = ("reference", "PGD does not look at the map") if plain else ("secondary", "this attack alone")
            rows.append(_row(subject, subject.pair(alone), "map_l1", "all", role, (probe, factor), note))
    return rows


def tried(subject: Subject) -> list[tuple[str, int]]:
    """(probe, steps factor) of the attacks tried on both within the budget."""
    found: dict[tuple[str, int], None] = {}
    for cohort in subject.trainings.cohorts:
        of_reference = attacks_within_budget(cohort, subject.reference)
        found |= dict.fromkeys(n for n in attacks_within_budget(cohort, subject.interpreter) if n in of_reference)
    return sorted(found)


def _row(
    subject: Subject, pairs: Pairs, metric: str, population: str, role: str, attack: tuple[str, int], note: str
) -> ClaimRow:
    comparison = pairs.compare(metric, pairs.all_samples() if population == "all" else pairs.both("success"))
    return claim_row(
        subject,
        "attack",
        role=role,
        probe=attack[0],
        steps_factor=attack[1],
        metric=metric,
        population=population,
        comparison=comparison,
        verdict=decision_rules.larger(comparison.difference),
        note=notes(note, pair_notes(pairs, comparison)),
    )


def _strongest_rows(subject: Subject, cells: CellPairs) -> list[ClaimRow]:
    pairs = subject.pair(cells)
    margins = (-decision_rules.SUCCESS_MARGIN, decision_rules.SUCCESS_MARGIN)
    comparison = pairs.compare("success", pairs.all_samples())
    answer = decision_rules.inside(comparison.difference, margins)
    success = claim_row(
        subject,
        "attack",
        role="control",
        probe=STRONGEST,
        metric="success",
        population="all",
        comparison=comparison,
        verdict=answer,
        p=decision_rules.p_inside(comparison.difference, margins),
        question=decision_rules.question(margins),
        note=pair_notes(pairs, comparison),
    )
    differs = answer not in (decision_rules.HOLDS, decision_rules.TOO_FEW)
    names = ", ".join(f"{probe} x{factor}" if factor > 1 else probe for probe, factor in tried(subject))
    note = notes(f"best of {names}", SUCCESS_DIFFERS if differs else "", _tuned(subject))
    attack = (STRONGEST, 1)
    return [
        _row(subject, pairs, "map_l1", "all", "primary", attack, note),
        _row(subject, pairs, "map_l1", "both succeed", "secondary", attack, note),
        *(_row(subject, pairs, metric, "all", "secondary", attack, note) for metric in SECONDARY),
        success,
    ]


def _tuned(subject: Subject) -> str:
    """In what the attacks on the two interpreters differ: a weight chosen for each."""
    unlike = {
        f"{name} {mine} against {other}"
        for probe, factor in tried(subject)
        for value, reference in subject.cells(probe, steps_factor=factor)
        for name, (mine, other) in probe_differences(value, reference).items()
    }
    return f"attack tuned per interpreter: {', '.join(sorted(unlike))}" if unlike else ""


def _effect_rows(subject: Subject, cells: CellPairs) -> list[ClaimRow]:
    """Joint success against RTS, and the AUC of the interpreter's own pair alarm."""
    pairs = subject.pair(cells)
    fall = pairs.compare("joint_success", pairs.all_samples())
    rows = [
        claim_row(
            subject,
            "attack",
            role="effect",
            probe=STRONGEST,
            metric="joint_success",
            population="all",
            comparison=fall,
            verdict=decision_rules.inside(fall.difference, FALL),
            p=decision_rules.p_inside(fall.difference, FALL),
            question=decision_rules.question(FALL),
            note=pair_notes(pairs, fall),
        )
    ]
    mine, others = _alarms(subject, cells)
    own, reference = auc(mine, subject.bootstrap), auc(others, subject.bootstrap)
    if not own.n:
        return rows
    difference = auc(mine, subject.bootstrap, against=others)
    row = claim_row(
        subject,
        "attack",
        role="effect",
        probe=STRONGEST,
        metric="pair_alarm_auc",
        population="pairs",
        comparison=pairs.comparison(difference, None, reference.value, own.value),
        verdict=decision_rules.inside(own, ALARM),
        p=decision_rules.p_inside(own, ALARM),
        question=f"value at least {decision_rules.ALARM_AUC:g}",
        value=own,
    )
    return [*rows, row]


def _alarms(subject: Subject, cells: CellPairs) -> tuple[list[PairAlarm], list[PairAlarm]]:
    """The alarms of the interpreter and of the reference, of the trainings in which both were measured."""
    clean = {int(value.cell["seed"]): (value, reference) for value, reference in subject.cells("clean")}
    both = [
        (pair_alarm(value, clean[seed][0]), pair_alarm(reference, clean[seed][1]))
        for value, reference in cells
        if (seed := int(value.cell["seed"])) in clean
    ]
    measured = [(mine, other) for mine, other in both if mine.is_measured and other.is_measured]
    return [mine for mine, _ in measured], [other for _, other in measured]


def attack_verdict(rows: list[ClaimRow]) -> tuple[str, float | None, bool]:
    """(the word of claim 2, its p, whether both effects were measured), from the rows of one subject.

    "gives the attack away" takes the bounds of both effects, "moves further" the bound of the paired difference.
    """
    (primary,) = select_rows(rows, claim="attack", role="primary", probe=STRONGEST)
    effects = select_rows(rows, claim="attack", role="effect")
    measured = len(effects) == 2 and all(row.trainings == primary.trainings and row.n for row in effects)
    if primary.verdict not in (*decision_rules.DECIDED, decision_rules.NOT_DISTINGUISHABLE):
        return primary.verdict, None, measured
    if measured and all(row.verdict == decision_rules.HOLDS for row in effects):
        return decision_rules.GIVES_AWAY, max(row.p or 0.0 for row in effects), True
    if primary.verdict != decision_rules.HOLDS:
        return primary.verdict, primary.p, measured
    return decision_rules.MOVES_FURTHER if measured else decision_rules.MOVES, primary.p, measured


def premise_rows(subject: Subject) -> list[ClaimRow]:
    """On RTS itself: ADV2's map L1 is at most half of PGD's. Concerns the reference alone, whatever the objective."""
    cells = [
        (adv2, pgd)
        for cohort in subject.trainings.cohorts
        if (adv2 := cohort.find(subject.reference, "adv2")) is not None
        and (pgd := cohort.find(subject.reference, "pgd")) is not None
    ]
    if not cells:
        return []
    pairs = pair(cells, subject.bootstrap)
    comparison = pairs.compare("map_l1", pairs.all_samples())
    assert comparison.ratio is not None  # map_l1 always has one
    margins = (-math.inf, decision_rules.PREMISE_RATIO)
    success = mean_with_interval([adv2 for adv2, _ in cells], "success", subject.bootstrap)
    return [
        claim_row(
            subject,
            "attack",
            role="premise",
            probe="adv2",
            steps_factor=steps_factor_of(cells[0][0]),
            metric="map_l1 of adv2 / of pgd",
            population="all",
            comparison=comparison,
            verdict=decision_rules.inside(comparison.ratio, margins),
            p=decision_rules.p_inside(comparison.ratio, margins),
            question=f"ratio at most {decision_rules.PREMISE_RATIO:g}",
            note=f"ADV2 succeeds on {finite(success.value)} [{finite(success.low)}, {finite(success.high)}]",
            interpreter=subject.reference,
        )
    ]
