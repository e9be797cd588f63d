"""Every metric of every cell in one long table, for work with data frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.sample_metrics import column_means, failed, succeeded
from benchmark.report.tables.effect_table import ATTACKS, attacked_cells, effects

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
        populations: dict[str, Callable[[pd.DataFrame], np.ndarray] | None] = {"all": None}
        if "success" in samples:
            populations |= {"success": succeeded, "not_success": failed}
        about = {name: record.cell.get(name) for name in CELL}
        names = [str(name) for name in samples if name not in NOT_A_METRIC]
        found = {which: column_means(record, names, bootstrap, chosen) for which, chosen in populations.items()}
        for metric in names:
            for population, chosen in populations.items():
                estimate = found[population][metric]
                if estimate.n and not (metric == "success" and chosen is not None):
                    rows.append({**about, "metric": metric, "population": population, **_numbers(estimate)})
    return _as_table(rows)


def tidy_effects(groups: Sequence[Trainings], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> pd.DataFrame:
    """One row a training, attack (plain ADV2, and the strongest of all) and effect; of the population "all", the pair
    alarm's of "pairs"."""
    rows: list[dict[str, Any]] = []
    for trainings in groups:
        for probe, interpreter in itertools.product(ATTACKS, trainings.interpreters):
            for cells in attacked_cells(trainings, interpreter, probe):
                about = {name: cells[0].cell.get(name) for name in CELL}
                for metric, estimate in effects([cells], bootstrap):
                    if estimate.n:
                        population = "all" if metric == "joint_success" else "pairs"
                        rows.append({**about, "metric": metric, "population": population, **_numbers(estimate)})
    return _as_table(rows)


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "n", "n_sources")}


def _as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"level": "float64", "steps_factor": "int64"})
