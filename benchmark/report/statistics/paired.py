"""Two cells sample by sample: the same images, goals and draws seen by two interpreters.

Paired differences are always interpreter minus reference. Nulls of either side leave the pair out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.report.cohorts.settings import differing, flat
from benchmark.report.statistics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    Estimate,
    difference_in_differences,
    mean,
    paired_difference,
    ratio_of_means,
)

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def column(samples: pd.DataFrame, name: str) -> np.ndarray:
    """A column as float64 with NaN for null; all NaN where the cell has no such column."""
    if name not in samples:
        return np.full(len(samples), np.nan)
    return samples[name].to_numpy(dtype=np.float64, na_value=np.nan)


# What a claim is stated in. Distances: larger means further apart.
_DERIVED: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "iou_distance": lambda s: 1.0 - column(s, "map_iou"),
    "spearman_distance": lambda s: 1.0 - column(s, "map_spearman"),
    "class_excess": lambda s: column(s, "map_l1") - column(s, "control_class_l1"),
    "joint_success": lambda s: column(s, "success") * column(s, "looks_benign"),
}
# Of an interpreter's settings: how long and how fast it learns, and from which draws. Not its inner attack's steps.
_BUDGET = re.compile(r"seed|stages\.\w+\.(steps|batch_size|module\.(lr|weight_decay|p_fake|seed))")
_WITH_RATIO = {"map_l1", "iou_distance", "spearman_distance", "control_class_l1"}


def metric(samples: pd.DataFrame, name: str) -> np.ndarray:
    """A measured or derived column, float64 (N,)."""
    return _DERIVED[name](samples) if name in _DERIVED else column(samples, name)


@dataclass(frozen=True)
class Comparison:
    """A paired difference with the two means it is made of and their ratio (None where a ratio says nothing)."""

    difference: Estimate
    ratio: Estimate | None
    reference: float
    value: float


@dataclass(frozen=True)
class Pairs:
    """Rows of the interpreter and of the reference for the samples that both cells hold, in sample-id order."""

    value: pd.DataFrame
    reference: pd.DataFrame
    n_unpaired: int
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP

    @property
    def source_N(self) -> np.ndarray:
        return self.reference["source_id"].to_numpy()

    def both(self, name: str) -> np.ndarray:
        """Boolean (N,): the flag is set in both cells."""
        return (column(self.value, name) == 1) & (column(self.reference, name) == 1)

    def neither(self, name: str) -> np.ndarray:
        return (column(self.value, name) == 0) & (column(self.reference, name) == 0)

    def everyone(self) -> np.ndarray:
        return np.ones(len(self.reference), dtype=bool)

    def compare(self, name: str, population_N: np.ndarray) -> Comparison:
        """The paired difference of one metric over a population (boolean (N,))."""
        value_N, reference_N = metric(self.value, name)[population_N], metric(self.reference, name)[population_N]
        source_N = self.source_N[population_N]
        there_N = ~np.isnan(value_N - reference_N)
        ratio = ratio_of_means(value_N, reference_N, source_N, self.bootstrap) if name in _WITH_RATIO else None
        return Comparison(
            difference=paired_difference(value_N, reference_N, source_N, self.bootstrap),
            ratio=ratio,
            reference=float(reference_N[there_N].mean()) if there_N.any() else np.nan,
            value=float(value_N[there_N].mean()) if there_N.any() else np.nan,
        )

    def compare_populations(self, name: str, first_N: np.ndarray, second_N: np.ndarray) -> Comparison:
        """Difference in differences, (first − second) of (interpreter − reference). The two "means" are the two
        interpreters' own (first − second)."""
        value_N, reference_N = metric(self.value, name), metric(self.reference, name)
        difference_N = value_N - reference_N
        estimate = difference_in_differences(difference_N, first_N, second_N, self.source_N, self.bootstrap)
        there_N = ~np.isnan(difference_N)
        first_N, second_N = first_N & there_N, second_N & there_N
        if not (first_N.any() and second_N.any()):
            return Comparison(estimate, None, np.nan, np.nan)
        gap = [float(side[first_N].mean() - side[second_N].mean()) for side in (reference_N, value_N)]
        return Comparison(estimate, None, *gap)


def pair(value: Record, reference: Record, bootstrap: Bootstrap) -> Pairs:
    """Match two cells by sample id. Samples that disagree on source, label or goal are not the same task and are left
    out, as are those that only one cell holds."""
    left, right = (record.samples.set_index("sample_id").sort_index() for record in (value, reference))
    common = left.index.intersection(right.index).sort_values()
    total = max(len(left), len(right))
    alike = np.ones(len(common), dtype=bool)
    for name in ("source_id", "label", "goal"):
        if name in left and name in right:
            alike &= left.loc[common, name].to_numpy() == right.loc[common, name].to_numpy()
    kept = common[alike]
    mine, theirs = (side.loc[kept].reset_index() for side in (left, right))
    return Pairs(mine, theirs, total - len(kept), bootstrap)


def mean_with_interval(
    record: Record, name: str, bootstrap: Bootstrap, population_N: np.ndarray | None = None
) -> Estimate:
    """Mean of one cell's metric with its interval."""
    samples = record.samples
    rows = slice(None) if population_N is None else population_N
    return mean(metric(samples, name)[rows], samples["source_id"].to_numpy()[rows], bootstrap)


def _section(record: Record, name: str) -> dict[str, Any]:
    return flat((record.cell.get("config") or {}).get(name) or {})


def probe_differences(value: Record, reference: Record) -> dict[str, tuple[Any, Any]]:
    """Probe settings in which two cells differ, {setting: (interpreter's, reference's)}."""
    left, right = _section(value, "probe"), _section(reference, "probe")
    return {name: (left.get(name), right.get(name)) for name in differing([left, right])}


def same_task(differences: dict[str, tuple[Any, Any]]) -> bool:
    """Whether two probes were the same: radius, steps, draws. The map's weight c may differ, for it is chosen per
    interpreter."""
    leaves = [name.split(".")[-1] for name in differences]
    return not any(leaf.startswith(("epsilon", "step", "warmup", "random_start", "seed", "kind")) for leaf in leaves)


def training_differences(value: Record, reference: Record) -> list[str]:
    """'stages.finish.steps 375 against 300' for each way in which two interpreters were not trained on equal budgets
    from one start: steps, batch sizes, learning rates and seeds of their stages."""
    stages = [
        {path: x for path, x in _section(record, "interpreter").items() if _BUDGET.fullmatch(path)}
        for record in (value, reference)
    ]
    return [f"{path} {stages[0].get(path)} against {stages[1].get(path)}" for path in differing(stages)]
