"""Two cells sample by sample: two interpreters on the same images, goals and random draws.

Paired differences are always interpreter minus reference. Nulls of either side leave the pair out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.report.cohorts.flags import reason
from benchmark.report.statistics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    Estimate,
    difference_in_differences,
    paired_difference,
    ratio_of_means,
)
from benchmark.report.statistics.sample_metrics import column, metric

if TYPE_CHECKING:
    from benchmark.storage.records import Record

# Metrics with a meaningful zero, so that a ratio of means says something.
_WITH_RATIO = {"map_l1", "iou_distance", "spearman_distance", "control_class_l1"}


@dataclass(frozen=True)
class Comparison:
    """A paired difference with the two means it is made of and their ratio (None where it would mean nothing).

    withheld: why no verdict rests on it, by the flags of its cells; empty where they are sound.
    """

    difference: Estimate
    ratio: Estimate | None
    reference: float
    value: float
    withheld: str = ""


@dataclass(frozen=True)
class Pairs:
    """Rows of the interpreter and of the reference for the samples that both cells hold, in sample-id order."""

    value: pd.DataFrame
    reference: pd.DataFrame
    n_unpaired: int
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    withheld: str = ""

    @property
    def source_N(self) -> np.ndarray:
        """Source id of each pair."""
        return self.reference["source_id"].to_numpy()

    def both(self, name: str) -> np.ndarray:
        """Boolean (N,): the flag is set in both cells."""
        return self._in_both(name, 1)

    def neither(self, name: str) -> np.ndarray:
        """Boolean (N,): the flag is not set in either cell."""
        return self._in_both(name, 0)

    def _in_both(self, name: str, flag: int) -> np.ndarray:
        flag_N: np.ndarray = (column(self.value, name) == flag) & (column(self.reference, name) == flag)
        return flag_N

    def all_samples(self) -> np.ndarray:
        """Boolean (N,), true throughout."""
        return np.ones(len(self.reference), dtype=bool)

    def compare(self, name: str, population_N: np.ndarray) -> Comparison:
        """The paired difference of one metric over a population (boolean (N,))."""
        value_N, reference_N = metric(self.value, name)[population_N], metric(self.reference, name)[population_N]
        source_N = self.source_N[population_N]
        present_N = ~np.isnan(value_N - reference_N)
        ratio = ratio_of_means(value_N, reference_N, source_N, self.bootstrap) if name in _WITH_RATIO else None
        return Comparison(
            difference=paired_difference(value_N, reference_N, source_N, self.bootstrap),
            ratio=ratio,
            reference=float(reference_N[present_N].mean()) if present_N.any() else np.nan,
            value=float(value_N[present_N].mean()) if present_N.any() else np.nan,
            withheld=self.withheld,
        )

    def compare_populations(self, name: str, first_N: np.ndarray, second_N: np.ndarray) -> Comparison:
        """Difference in differences: (first − second) of (interpreter − reference), populations boolean (N,).

        ``reference`` and ``value`` of the result are (first − second) of either interpreter.
        """
        value_N, reference_N = metric(self.value, name), metric(self.reference, name)
        difference_N = value_N - reference_N
        estimate = difference_in_differences(difference_N, first_N, second_N, self.source_N, self.bootstrap)
        present_N = ~np.isnan(difference_N)
        first_N, second_N = first_N & present_N, second_N & present_N
        if not (first_N.any() and second_N.any()):
            return Comparison(estimate, None, np.nan, np.nan, self.withheld)
        gap = [float(side[first_N].mean() - side[second_N].mean()) for side in (reference_N, value_N)]
        return Comparison(estimate, None, gap[0], gap[1], self.withheld)


def pair(value: Record, reference: Record, bootstrap: Bootstrap) -> Pairs:
    """Match two cells by sample id. Samples that disagree on source, label or goal are not the same task and are left
    out, as are those that only one cell holds."""
    left, right = (record.samples.set_index("sample_id").sort_index() for record in (value, reference))
    common = left.index.intersection(right.index).sort_values()
    total = max(len(left), len(right))
    same_task_N = np.ones(len(common), dtype=bool)
    for name in ("source_id", "label", "goal"):
        if name in left and name in right:
            same_task_N &= left.loc[common, name].to_numpy() == right.loc[common, name].to_numpy()
    matched = common[same_task_N]
    value_rows, reference_rows = (side.loc[matched].reset_index() for side in (left, right))
    return Pairs(value_rows, reference_rows, total - len(matched), bootstrap, reason((value, reference)))
