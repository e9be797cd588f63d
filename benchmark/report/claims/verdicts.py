"""The verdict on Observation 8: its three claims with their controls, for every objective found in the trainings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.report.claims.assessment import ASSESSORS, UNMEASURED, Assessment
from benchmark.report.claims.attack import attack_rows, premise_rows
from benchmark.report.claims.harmless import harmless_rows
from benchmark.report.claims.noise import noise_rows
from benchmark.report.claims.rows import ClaimRow, claim_row, finite
from benchmark.report.claims.sentences import Headline, headline
from benchmark.report.claims.subject import Subject
from benchmark.report.cohorts.cohort import REFERENCE, is_rtsa
from benchmark.report.cohorts.strongest import STRONGEST
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, NOTHING, Bootstrap
from benchmark.report.statistics.hierarchical import ERROR_RATE, holm
from benchmark.report.statistics.paired import Comparison

_Judged = tuple[str, float | None, float | None]  # the word after the correction, its p, the corrected p


@dataclass(frozen=True)
class Verdicts:
    """Rows for every comparison made, and one headline for each claim and objective."""

    rows: list[ClaimRow]
    headlines: list[Headline]


def judge(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Verdicts:
    """Every objective against its equal-budget RTS; empty where there is no RTSA at all."""
    rows: list[ClaimRow] = []
    claims: list[tuple[str, Subject, Assessment]] = []
    for name in filter(is_rtsa, trainings.interpreters):
        subject = Subject(trainings, name, bootstrap)
        of_subject = noise_rows(subject) + attack_rows(subject) + harmless_rows(subject)
        rows += of_subject
        claims += [(claim, subject, assess(of_subject)) for claim, assess in ASSESSORS.items()]
    judged = _corrected([assessment for *_, assessment in claims])
    headlines = [headline(*about, *word) for about, word in zip(claims, judged, strict=True)]
    rows = _with_corrected_p([row for row in rows if row.role != "overall"])
    rows += [_overall_row(about[1], line) for about, line in zip(claims, headlines, strict=True) if _is_said(line)]
    if REFERENCE in trainings.interpreters:
        rows += premise_rows(Subject(trainings, REFERENCE, bootstrap))
    return Verdicts(rows, headlines)


def _is_said(line: Headline) -> bool:
    return line.verdict != UNMEASURED


def _corrected(assessments: Sequence[Assessment]) -> list[_Judged]:
    """The words that stand after Holm's correction over all claims of the section that have a p.

    A word whose corrected p is above the error rate gives way to the weaker one that it implies, if any, else to "not
    distinguishable".
    """
    words = [(assessment.verdict, assessment.p) for assessment in assessments]
    for _ in assessments:
        corrected = _holm([p for _, p in words])
        weaker = [
            assessment.weaker if word in decision_rules.DECIDED and p_holm is not None and p_holm > ERROR_RATE else None
            for assessment, (word, _), p_holm in zip(assessments, words, corrected, strict=True)
        ]
        weaker = [None if new == old else new for new, old in zip(weaker, words, strict=True)]
        if not any(weaker):
            break
        words = [new or old for new, old in zip(weaker, words, strict=True)]
    return [
        (decision_rules.NOT_DISTINGUISHABLE if _falls(word, p_holm) else word, p, p_holm)
        for (word, p), p_holm in zip(words, _holm([p for _, p in words]), strict=True)
    ]


def _falls(word: str, p_holm: float | None) -> bool:
    return word in decision_rules.DECIDED and p_holm is not None and p_holm > ERROR_RATE


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's correction over those that are there."""
    corrected = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(corrected) for p in p_values]


def _with_corrected_p(rows: list[ClaimRow]) -> list[ClaimRow]:
    """The rows, the p of the primary ones corrected for their number."""
    corrected = _holm([row.p if row.role == "primary" else None for row in rows])
    return [replace(row, p_holm=finite(p)) for row, p in zip(rows, corrected, strict=True)]


def _overall_row(subject: Subject, line: Headline) -> ClaimRow:
    """The claim as a whole."""
    found = line.assessment
    estimate = replace(NOTHING, n=found.n, n_sources=found.n_sources, trainings=found.trainings)
    row = claim_row(
        subject,
        line.claim,
        role="overall",
        probe={"noise": "all", "attack": STRONGEST}.get(line.claim, "clean"),
        metric="all",
        population="all",
        comparison=Comparison(estimate, None, np.nan, np.nan, "", found.flags, found.passes),
        verdict=line.verdict,
        p=line.p,
        question="the verdict on the claim, see docs/verdicts.md",
        note=line.sentence,
    )
    return replace(row, verdict=line.verdict, p=finite(line.p), p_holm=finite(line.p_holm), note=line.sentence)


def write_verdicts(path: Path, rows: Sequence[ClaimRow]) -> None:
    """All rows as a list of objects, strict JSON: a missing number is null, NaN is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([row.to_json() for row in rows], indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
