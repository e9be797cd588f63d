"""The subject of a claim: an interpreter beside the equal-budget reference of its trainings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import REFERENCE, Cohort, objective_of
from benchmark.report.cohorts.comparability import probe_differences, same_task, training_differences
from benchmark.report.cohorts.strongest import attacks_within_budget, strongest
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.paired import Pairs, pair

if TYPE_CHECKING:
    from benchmark.storage.records import Record

UNEQUAL = "unequal training budgets"
CellPairs = list[tuple["Record", "Record"]]  # (interpreter's, reference's), one a training


@dataclass(frozen=True)
class Subject:
    """An interpreter whose claims are judged against the equal-budget reference of the same trainings.

    needed: trainings that a verdict takes; a choice of settings, which is none, does with one.
    """

    trainings: Trainings
    interpreter: str
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    reference: str = REFERENCE
    needed: int = decision_rules.MIN_TRAININGS

    @property
    def objective(self) -> str:
        return objective_of(self.interpreter)

    @cached_property
    def caveat(self) -> str:
        """What puts every comparison with the reference in doubt: unequal training budgets."""
        unlike = {text for cohort in self.trainings.cohorts for text in self._unequal(cohort)}
        return f"{UNEQUAL} ({', '.join(sorted(unlike))})" if unlike else ""

    def _unequal(self, cohort: Cohort) -> list[str]:
        sides = [
            next((r for r in cohort.records if r.cell["interpreter"] == name), None)
            for name in (self.interpreter, self.reference)
        ]
        return training_differences(sides[0], sides[1]) if sides[0] is not None and sides[1] is not None else []

    def cells(self, probe: str, level: float | None = None, steps_factor: int = 1) -> CellPairs:
        """(interpreter's cell, reference's cell) of every training that has both, under the same probe."""
        found = []
        for cohort in self.trainings.cohorts:
            value = cohort.find(self.interpreter, probe, level, steps_factor)
            reference = cohort.find(self.reference, probe, level, steps_factor)
            if value is not None and reference is not None and same_task(probe_differences(value, reference)):
                found.append((value, reference))
        return found

    @cached_property
    def strongest(self) -> CellPairs:
        """The strongest attack on either, of every training: the best of the attacks that were tried on both alike."""
        found = []
        for cohort in self.trainings.cohorts:
            tried, of_reference = (attacks_within_budget(cohort, n) for n in (self.interpreter, self.reference))
            alike = [
                (record, of_reference[name])
                for name, record in tried.items()
                if name in of_reference and same_task(probe_differences(record, of_reference[name]))
            ]
            if alike:
                found.append((strongest([one for one, _ in alike]), strongest([other for _, other in alike])))
        return found

    def pair(self, cells: CellPairs) -> Pairs:
        return pair(cells, self.bootstrap)
