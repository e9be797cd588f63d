"""One row of the verdicts: what was compared, the difference with its interval, and the word the rules give it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchmark.report.claims.subject import Subject
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import Estimate
from benchmark.report.statistics.paired import Comparison, Pairs

LARGER = "difference above 0"
FLAGGED = "flagged"  # how the note of a withheld verdict starts


@dataclass(frozen=True)
class ClaimRow:
    """One comparison of an interpreter with its reference. Numbers are None where there is none, never NaN."""

    claim: str
    """noise, attack or harmless."""
    objective: str
    """Training objective of the interpreter: paper, or what follows ``rtsa_`` in its name; of a row that concerns the
    reference alone its name."""
    interpreter: str
    role: str
    """primary, secondary, effect, control, reference, premise or overall."""
    probe: str
    """The probe of both cells; "all" where the row sums up several, "strongest" for the best of all attacks."""
    level: float | None
    """Misclassification rate that noise was calibrated to, in [0, 1]; None for other probes."""
    steps_factor: int
    """The attack's steps, in multiples of the stated number."""
    metric: str
    """A record's column, a metric derived from one, or words for what was compared."""
    population: str
    """The samples compared: all, wrong, right, both succeed, or the difference "wrong - right"; pairs for an alarm."""
    question: str
    """What the verdict answers."""
    difference: float | None
    """Paired mean of interpreter minus reference, in the metric's unit."""
    low: float | None
    """Lower end of the difference's 95 % interval, over trainings and sources."""
    high: float | None
    """Upper end of the difference's 95 % interval."""
    ratio: float | None
    """Mean of the interpreter over mean of the reference; None for metrics without a meaningful zero."""
    ratio_low: float | None
    ratio_high: float | None
    reference: float | None
    """Mean of the reference."""
    value: float | None
    """Mean of the interpreter."""
    value_low: float | None
    """Lower end of the value's own interval, where the row asks about the value; else None."""
    value_high: float | None
    n: int
    """Samples that both cells have a value for, over all trainings."""
    n_sources: int
    """Sources of these samples."""
    trainings: int
    """Trainings that have both cells."""
    share_trainings: float | None
    """Share of the variance of one training's difference that lies between trainings; None for one training."""
    share_sources: float | None
    """Share that lies between sources, alike in all trainings."""
    share_rest: float | None
    """Share of sources that come out differently in another training."""
    p: float | None
    """Two-sided p of the hypothesis that the question refutes; a claim's is that of its verdict."""
    p_holm: float | None
    """The same corrected for the family: all primary rows of a section; for an overall row, all its claims."""
    passes: float | None
    """Passes of the attacked network for an image, forward and backward, that the attack took; None for no attack."""
    flags: Sequence[str]
    """Names of the flags of the cells behind the row."""
    verdict: str
    """One of ``decision_rules.VERDICTS``."""
    note: str
    """What a reader must know about this row; "" for nothing."""
    data: str
    classifier: str
    seeds: Sequence[int]
    """Of the trainings of the section."""
    data_seed: int
    budget: str
    split: str
    settings: Mapping[str, Any]
    """Settings that a sweep varied, with their value in this cohort; the keys are the user's own configuration."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name, in the order above; strict JSON can hold every value."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def select_rows(rows: Iterable[ClaimRow], **wanted: object) -> list[ClaimRow]:
    """The rows whose fields have the wanted values."""
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def finite(number: float | None) -> float | None:
    """None for NaN and infinities (strict JSON has neither), else the number at six significant digits."""
    if number is None or not math.isfinite(number):
        return None
    return float(f"{number:.6g}")


def notes(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def pair_notes(pairs: Pairs, comparison: Comparison) -> str:
    """What a reader must know about the pairs behind one row."""
    difference = comparison.difference
    return notes(
        f"{difference.n_null} samples without a value left out" if difference.n_null else "",
        f"{pairs.n_unpaired} samples without a counterpart left out" if pairs.n_unpaired else "",
        f"only {difference.n_sources} sources: the interval may be too narrow"
        if 0 < difference.n_sources < decision_rules.FEW_SOURCES
        else "",
        "not measured" if difference.n == 0 and difference.n_null else "",
    )


def claim_row(
    subject: Subject,
    claim: str,
    *,
    role: str,
    metric: str,
    population: str,
    comparison: Comparison,
    verdict: str,
    p: float | None = None,
    question: str = LARGER,
    probe: str = "clean",
    level: float | None = None,
    steps_factor: int = 1,
    note: str = "",
    interpreter: str | None = None,
    value: Estimate | None = None,
) -> ClaimRow:
    """The row of one comparison, its numbers rounded to six significant digits and None where they are not finite.

    The verdict is withheld where a cell of the comparison is flagged, and there is none over too few trainings.
    ``interpreter`` stands in for the subject's own name and objective where the row concerns the reference alone.
    value: the interpreter's own estimate, where the question is about it.
    """
    difference, ratio, key = comparison.difference, comparison.ratio, subject.trainings.key
    withheld = f"{FLAGGED}: {comparison.withheld}" if comparison.withheld else ""
    answer = decision_rules.WITHHELD if withheld else verdict
    asked = len(subject.trainings.cohorts)
    some = f"{difference.trainings} of {asked} trainings have both cells" if 0 < difference.trainings < asked else ""
    shares = difference.shares
    return ClaimRow(
        claim=claim,
        objective=subject.objective if interpreter is None else interpreter,
        interpreter=subject.interpreter if interpreter is None else interpreter,
        role=role,
        probe=probe,
        level=level,
        steps_factor=steps_factor,
        metric=metric,
        population=population,
        question=question,
        difference=finite(difference.value),
        low=finite(difference.low),
        high=finite(difference.high),
        ratio=finite(ratio.value) if ratio else None,
        ratio_low=finite(ratio.low) if ratio else None,
        ratio_high=finite(ratio.high) if ratio else None,
        reference=finite(comparison.reference),
        value=finite(comparison.value),
        value_low=finite(value.low) if value else None,
        value_high=finite(value.high) if value else None,
        n=difference.n,
        n_sources=difference.n_sources,
        trainings=difference.trainings,
        share_trainings=finite(shares.trainings) if shares else None,
        share_sources=finite(shares.sources) if shares else None,
        share_rest=finite(shares.rest) if shares else None,
        p=finite(p if p is not None else decision_rules.p_larger(difference)),
        p_holm=None,
        passes=finite(comparison.passes),
        flags=list(comparison.flags),
        verdict=decision_rules.over_trainings(answer, difference.trainings, subject.needed),
        note=notes(withheld, some, note, subject.caveat),
        data=key.data,
        classifier=key.classifier,
        seeds=subject.trainings.seeds,
        data_seed=key.data_seed,
        budget=key.budget,
        split=key.split,
        settings=dict(subject.trainings.settings),
    )
