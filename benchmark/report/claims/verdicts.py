"""The verdict on Observation 8: its three claims with their controls, for every objective found in a cohort."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.report.claims.attack import attack_rows, premise_rows
from benchmark.report.claims.harmless import harmless_rows
from benchmark.report.claims.noise import noise_rows
from benchmark.report.claims.rows import ClaimRow, claim_row
from benchmark.report.claims.sentences import UNMEASURED, Headline, headlines
from benchmark.report.claims.subject import Subject
from benchmark.report.cohorts.cohort import REFERENCE, Cohort, is_rtsa
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.paired import Comparison


@dataclass(frozen=True)
class Verdicts:
    """Rows for every comparison made, and one headline for each claim and objective."""

    rows: list[ClaimRow]
    headlines: list[Headline]


def _overall_rows(subject: Subject, rows: list[ClaimRow], claim_headlines: list[Headline]) -> list[ClaimRow]:
    """The claim as a whole, where no row does so yet; an unmeasured claim gets no row."""
    judged = {row.claim for row in rows if row.role == "overall"}
    no_comparison = Comparison(Estimate(np.nan, np.nan, np.nan, 0, 0), None, np.nan, np.nan)
    overall = []
    for line in claim_headlines:
        if line.claim in judged or line.verdict == UNMEASURED:
            continue
        primary = min((r for r in rows if r.claim == line.claim and r.role == "primary"), key=lambda r: r.n)
        row = claim_row(
            subject,
            line.claim,
            role="overall",
            probe="all" if line.claim == "noise" else "adv2",
            metric="all",
            population=primary.population,
            comparison=no_comparison,
            verdict=line.verdict,
            question="every primary row holds",
            note=line.sentence,
        )
        overall.append(replace(row, n=primary.n, n_sources=primary.n_sources))
    return overall


def judge(cohort: Cohort, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Verdicts:
    """Every objective of one cohort against its equal-budget RTS; empty where the cohort has no RTSA at all."""
    rows: list[ClaimRow] = []
    all_headlines: list[Headline] = []
    for name in filter(is_rtsa, cohort.interpreters):
        subject = Subject(cohort, name, bootstrap)
        subject_rows = noise_rows(subject) + attack_rows(subject) + harmless_rows(subject)
        subject_headlines = headlines(subject, subject_rows)
        rows += subject_rows + _overall_rows(subject, subject_rows, subject_headlines)
        all_headlines += subject_headlines
    if REFERENCE in cohort.interpreters:
        rows += premise_rows(Subject(cohort, REFERENCE, bootstrap))
    return Verdicts(rows, all_headlines)


def write_verdicts(path: Path, rows: Sequence[ClaimRow]) -> None:
    """All rows as a list of objects, strict JSON: a missing number is null, NaN is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([row.to_json() for row in rows], indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
