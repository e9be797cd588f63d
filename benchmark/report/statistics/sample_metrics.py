"""Metrics of one cell, sample by sample: columns of its record and what the report derives from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.report.statistics.bootstrap import Bootstrap, Estimate, mean, means, within_unit

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def column(samples: pd.DataFrame, name: str) -> np.ndarray:
    """A column as float64 with NaN for null; all NaN where the cell has no such column."""
    if name not in samples:
        return np.full(len(samples), np.nan)
    return samples[name].to_numpy(dtype=np.float64, na_value=np.nan)


# Distances: larger means further apart.
_DERIVED: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "iou_distance": lambda s: 1.0 - column(s, "map_iou"),
    "spearman_distance": lambda s: 1.0 - column(s, "map_spearman"),
    "class_excess": lambda s: column(s, "map_l1") - column(s, "control_class_l1"),
    "joint_success": lambda s: column(s, "success") * column(s, "looks_benign"),
}
_RATES = ("success", "looks_benign", "joint_success")


def metric(samples: pd.DataFrame, name: str) -> np.ndarray:
    """A measured or derived column, float64 (N,)."""
    return _DERIVED[name](samples) if name in _DERIVED else column(samples, name)


def mean_with_interval(
    records: Sequence[Record],
    name: str,
    bootstrap: Bootstrap,
    population: Callable[[pd.DataFrame], np.ndarray] | None = None,
) -> Estimate:
    """Mean of a metric over the cells of one kind, one of each training, with its interval.

    population: which samples count, from samples to boolean (N,); all without it.
    """
    values, sources, trainings = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for record in records:
        samples = record.samples
        rows = slice(None) if population is None else population(samples)
        values.append(metric(samples, name)[rows])
        sources.append(samples["source_id"].to_numpy()[rows])
        trainings.append(np.full(len(values[-1]), int(record.cell["seed"])))
    found = mean(np.concatenate(values), np.concatenate(sources), bootstrap, np.concatenate(trainings))
    return within_unit(found) if name in _RATES else found


def column_means(
    record: Record,
    names: Sequence[str],
    bootstrap: Bootstrap,
    population: Callable[[pd.DataFrame], np.ndarray] | None = None,
) -> dict[str, Estimate]:
    """``mean_with_interval`` of several metrics of one cell, resampled together, which takes a fraction of the time."""
    samples = record.samples
    rows = slice(None) if population is None else population(samples)
    value_Nk = np.stack([metric(samples, name)[rows] for name in names], axis=1)
    found = means(value_Nk, samples["source_id"].to_numpy()[rows], bootstrap)
    return {name: within_unit(each) if name in _RATES else each for name, each in zip(names, found, strict=True)}


def passes_of(cells: Sequence[Record]) -> float | None:
    """Mean passes an image of the attacks, over all cells; None where they were not counted."""
    counted = np.concatenate([column(record.samples, "passes") for record in cells])
    return None if np.isnan(counted).all() else float(np.nanmean(counted))


def whole_passes(cells: Sequence[Record]) -> int | None:
    """The same as a whole number, for a table."""
    found = passes_of(cells)
    return None if found is None else round(found)


def succeeded(samples: pd.DataFrame) -> np.ndarray:
    """The population on which the probe succeeded."""
    chosen: np.ndarray = column(samples, "success") == 1
    return chosen


def failed(samples: pd.DataFrame) -> np.ndarray:
    """The population on which the probe did not succeed."""
    chosen: np.ndarray = column(samples, "success") == 0
    return chosen
