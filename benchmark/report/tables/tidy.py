"""Every metric of every cell in one long table, for work with data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import mean_with_interval

if TYPE_CHECKING:
    from benchmark.storage.records import Record

# Fields of cell.json that identify a cell.
CELL = (
    *("cell", "name", "data", "classifier", "interpreter", "probe", "level"),
    *("steps_factor", "seed", "data_seed", "budget", "split"),
)
# Columns of samples.parquet whose mean says nothing.
NOT_A_METRIC = ("sample_id", "source_id", "label", "goal", "pred_benign", "pred_probe")
COLUMNS = (*CELL, "metric", "population", "value", "low", "high", "n", "n_sources")


def tidy(records: Sequence[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> pd.DataFrame:
    """One row a cell, metric and population (all | success | not_success) with the mean, its 95 % interval and n.

    A metric without a single value in a population has no row there; clean cells have the population "all" alone.
    """
    rows: list[dict[str, Any]] = []
    for record in records:
        samples = record.samples
        populations: dict[str, np.ndarray | None] = {"all": None}
        if "success" in samples:
            success = samples["success"].to_numpy(dtype=bool)
            populations |= {"success": success, "not_success": ~success}
        about = {name: record.cell.get(name) for name in CELL}
        for metric in (name for name in samples if name not in NOT_A_METRIC):
            for population, chosen in populations.items():
                if metric == "success" and chosen is not None:
                    continue
                estimate = mean_with_interval(record, str(metric), bootstrap, chosen)
                if estimate.n:
                    numbers = {name: getattr(estimate, name) for name in ("value", "low", "high", "n", "n_sources")}
                    rows.append({**about, "metric": metric, "population": population, **numbers})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"level": "float64", "steps_factor": "int64"})
