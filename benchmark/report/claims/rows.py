"""One row of the verdicts: what was compared, the difference with its interval, and the word the rules give it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.grouping import REFERENCE, Group, objective_of
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.paired import (
    Comparison,
    Pairs,
    pair,
    probe_differences,
    same_task,
    training_differences,
)

if TYPE_CHECKING:
    from benchmark.storage.records import Record

Row = dict[str, Any]
CLAIMS = {"noise": 1, "attack": 2, "harmless": 3}
UNEQUAL = "unequal training budgets"
LARGER = "difference above 0"


@dataclass(frozen=True)
class Subject:
    """An interpreter whose claims are judged against the equal-budget reference of the same group."""

    group: Group
    interpreter: str
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    reference: str = REFERENCE

    @property
    def objective(self) -> str:
        return objective_of(self.interpreter)

    @cached_property
    def caveat(self) -> str:
        """What puts every comparison with the reference in doubt: unequal training budgets."""
        sides = [
            next((r for r in self.group.records if r.cell["interpreter"] == name), None)
            for name in (self.interpreter, self.reference)
        ]
        if sides[0] is None or sides[1] is None:
            return ""
        unlike = training_differences(sides[0], sides[1])
        return f"{UNEQUAL} ({', '.join(unlike)})" if unlike else ""

    def cells(self, probe: str, level: float | None = None, steps_factor: int = 1) -> tuple[Record, Record] | None:
        """(interpreter's cell, reference's cell), or None where one is missing or the probes were not the same."""
        value = self.group.find(self.interpreter, probe, level, steps_factor)
        reference = self.group.find(self.reference, probe, level, steps_factor)
        if value is None or reference is None or not same_task(probe_differences(value, reference)):
            return None
        return value, reference

    def pair(self, cells: tuple[Record, Record]) -> Pairs:
        return pair(*cells, self.bootstrap)


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
    question: str = LARGER,
    probe: str = "clean",
    level: float | None = None,
    steps_factor: int = 1,
    note: str = "",
    interpreter: str | None = None,
) -> Row:
    """A row with plain JSON values. ``role`` is primary, secondary, control, convergence, premise or overall."""
    key, ratio = subject.group.key, comparison.ratio
    return {
        "claim": claim,
        "objective": subject.objective if interpreter is None else interpreter,
        "interpreter": subject.interpreter if interpreter is None else interpreter,
        "role": role,
        "probe": probe,
        "level": level,
        "steps_factor": steps_factor,
        "metric": metric,
        "population": population,
        "question": question,
        "difference": finite(comparison.difference.value),
        "low": finite(comparison.difference.low),
        "high": finite(comparison.difference.high),
        "ratio": finite(ratio.value) if ratio else None,
        "ratio_low": finite(ratio.low) if ratio else None,
        "ratio_high": finite(ratio.high) if ratio else None,
        "reference": finite(comparison.reference),
        "value": finite(comparison.value),
        "n": comparison.difference.n,
        "n_sources": comparison.difference.n_sources,
        "verdict": verdict,
        "note": notes(note, subject.caveat),
        **{name: key.get(name) for name in ("data", "classifier", "seed", "data_seed", "budget", "split")},
        "settings": dict(subject.group.settings),
    }
