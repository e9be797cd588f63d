"""Two cells sample by sample: two interpreters on the same images, goals and random draws, in every training.

Paired differences are always interpreter minus reference. Nulls of either side leave the pair out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.report.cohorts.flags import all_flags, reason
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

    withheld: why no verdict rests on it, by the flags of its cells; empty where they are sound. flags: all of them, by
    name. passes: of the attacked network, forward and backward, that the probe took for an image of the interpreter's
    cell; None where it takes none.
    """

    difference: Estimate
    ratio: Estimate | None
    reference: float
    value: float
    withheld: str = ""
    flags: tuple[str, ...] = ()
    passes: float | None = None


@dataclass(frozen=True)
class Pairs:
    """Rows of the interpreter and of the reference for the samples that both cells hold, by training and sample id.

    ``training`` is a column of either, the seed.
    """

    value: pd.DataFrame
    reference: pd.DataFrame
    n_unpaired: int
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    withheld: str = ""
    flags: tuple[str, ...] = ()

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

    @property
    def training_N(self) -> np.ndarray:
        """Seed of the training that each pair is of."""
        return self.reference["training"].to_numpy()

    def compare(self, name: str, population_N: np.ndarray) -> Comparison:
        """The paired difference of one metric over a population (boolean (N,))."""
        value_N, reference_N = metric(self.value, name)[population_N], metric(self.reference, name)[population_N]
        groups = self.source_N[population_N], self.bootstrap, self.training_N[population_N]
        present_N = ~np.isnan(value_N - reference_N)
        ratio = ratio_of_means(value_N, reference_N, *groups) if name in _WITH_RATIO else None
        means = (_mean_of_trainings(side[present_N], groups[2][present_N]) for side in (reference_N, value_N))
        return self.comparison(paired_difference(value_N, reference_N, *groups), ratio, *means)

    def compare_populations(self, name: str, first_N: np.ndarray, second_N: np.ndarray) -> Comparison:
        """Difference in differences: (first − second) of (interpreter − reference), populations boolean (N,).

        ``reference`` and ``value`` of the result are (first − second) of either interpreter.
        """
        value_N, reference_N = metric(self.value, name), metric(self.reference, name)
        difference_N, groups = value_N - reference_N, (self.source_N, self.bootstrap, self.training_N)
        estimate = difference_in_differences(difference_N, first_N, second_N, *groups)
        sides = [np.where(np.isnan(difference_N), np.nan, side) for side in (reference_N, value_N)]
        gaps = (
            difference_in_differences(side, first_N, second_N, self.source_N, Bootstrap(2), self.training_N).value
            for side in sides
        )
        return self.comparison(estimate, None, *gaps)

    def comparison(self, difference: Estimate, ratio: Estimate | None, reference: float, value: float) -> Comparison:
        """These numbers with what there is to say of the cells behind them."""
        passes = column(self.value, "passes")
        mean_passes = None if np.isnan(passes).all() else float(np.nanmean(passes))
        return Comparison(difference, ratio, reference, value, self.withheld, self.flags, mean_passes)


def _mean_of_trainings(value_N: np.ndarray, training_N: np.ndarray) -> float:
    means = [value_N[training_N == training].mean() for training in np.unique(training_N)]
    return float(np.mean(means)) if means else float("nan")


def pair(cells: Sequence[tuple[Record, Record]], bootstrap: Bootstrap) -> Pairs:
    """Match (interpreter's, reference's) cells, one pair of cells a training, by sample id. Samples that disagree on
    source, label or goal are not the same task and are left out, as are those that only one cell holds."""
    matched = [_matched(value, reference) for value, reference in cells]
    value = pd.concat([found[0] for found in matched], ignore_index=True)
    reference = pd.concat([found[1] for found in matched], ignore_index=True)
    records = [record for both in cells for record in both]
    unpaired = sum(found[2] for found in matched)
    return Pairs(value, reference, unpaired, bootstrap, reason(records), tuple(all_flags(records)))


def _matched(value: Record, reference: Record) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The rows of both cells for their common samples, in sample-id order, and how many samples have no counterpart."""
    left, right = (record.samples.set_index("sample_id").sort_index() for record in (value, reference))
    common = left.index.intersection(right.index).sort_values()
    total = max(len(left), len(right))
    same_task_N = np.ones(len(common), dtype=bool)
    for name in ("source_id", "label", "goal"):
        if name in left and name in right:
            same_task_N &= left.loc[common, name].to_numpy() == right.loc[common, name].to_numpy()
    matched = common[same_task_N]
    seed = int(reference.cell["seed"])
    value_rows, reference_rows = (side.loc[matched].reset_index().assign(training=seed) for side in (left, right))
    return value_rows, reference_rows, total - len(matched)
