"""Metrics of one cell, sample by sample: columns of its record and what the report derives from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.report.statistics.bootstrap import Bootstrap, Estimate, mean

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


def metric(samples: pd.DataFrame, name: str) -> np.ndarray:
    """A measured or derived column, float64 (N,)."""
    return _DERIVED[name](samples) if name in _DERIVED else column(samples, name)


def mean_with_interval(
    record: Record, name: str, bootstrap: Bootstrap, population_N: np.ndarray | None = None
) -> Estimate:
    """Mean of one cell's metric with its interval."""
    samples = record.samples
    rows = slice(None) if population_N is None else population_N
    return mean(metric(samples, name)[rows], samples["source_id"].to_numpy()[rows], bootstrap)
