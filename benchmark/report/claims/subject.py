"""The subject of a claim: an interpreter beside the equal-budget reference of its cohort."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import REFERENCE, Cohort, objective_of
from benchmark.report.cohorts.comparability import probe_differences, same_task, training_differences
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.paired import Pairs, pair

if TYPE_CHECKING:
    from benchmark.storage.records import Record

UNEQUAL = "unequal training budgets"


@dataclass(frozen=True)
class Subject:
    """An interpreter whose claims are judged against the equal-budget reference of the same cohort."""

    cohort: Cohort
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
            next((r for r in self.cohort.records if r.cell["interpreter"] == name), None)
            for name in (self.interpreter, self.reference)
        ]
        if sides[0] is None or sides[1] is None:
            return ""
        unlike = training_differences(sides[0], sides[1])
        return f"{UNEQUAL} ({', '.join(unlike)})" if unlike else ""

    def cells(self, probe: str, level: float | None = None, steps_factor: int = 1) -> tuple[Record, Record] | None:
        """(interpreter's cell, reference's cell), or None where one is missing or the probes were not the same."""
        value = self.cohort.find(self.interpreter, probe, level, steps_factor)
        reference = self.cohort.find(self.reference, probe, level, steps_factor)
        if value is None or reference is None or not same_task(probe_differences(value, reference)):
            return None
        return value, reference

    def pair(self, cells: tuple[Record, Record]) -> Pairs:
        return pair(*cells, self.bootstrap)
