"""The numbers that stand for a cell in W&B: means with intervals, over all samples and over those a claim is about."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmark.report.statistics.bootstrap import Bootstrap, Estimate
from benchmark.report.statistics.sample_metrics import mean_with_interval, succeeded
from benchmark.storage.columns import COLUMNS
from benchmark.storage.record_summary import summary_of
from benchmark.storage.records import Record
from benchmark.tracking.run_config import kind_of

Population = Callable[[pd.DataFrame], np.ndarray]  # from samples to boolean (N,)
BOOTSTRAP = Bootstrap()
_DISTANCES = ("map_l1", "map_iou", "map_spearman")  # in what claim 1 is judged
_JOINT = "joint_success"
POPULATIONS = {
    "attacked": "all samples of an attack, which claim 2 is about",
    "misclassified": "samples that the noise makes the classifier get wrong, which claim 1 is about",
    "succeeded": "samples on which an attack reaches its class",
}


def run_summary(record: Record) -> dict[str, float]:
    """The record's summary, and 95 % intervals by bootstrap over sources.

    ``<column>/mean`` has ``<column>/low`` and ``/high``, ``<column>_rate`` has ``<column>_rate/low`` and ``/high``;
    ``<column>/<population>/mean``, ``/low`` and ``/high`` are those of one of ``POPULATIONS``, of ``n_<population>``
    samples. What has no value is left out.
    """
    found: dict[str, float] = dict(summary_of(record))
    for each in COLUMNS:
        if each.summarised and each.summary_name in found:
            found |= ends(each.summary_name, mean_with_interval([record], each.name, BOOTSTRAP))
    match kind_of(record):
        case "noise":
            found |= _over("misclassified", record, succeeded)
        case "attack":
            found |= _over("attacked", record) | _over("succeeded", record, succeeded)
            found |= named(f"{_JOINT}_rate", mean_with_interval([record], _JOINT, BOOTSTRAP))
    return found


def _over(name: str, record: Record, population: Population | None = None) -> dict[str, float]:
    """The distances over one of ``POPULATIONS``, and its size."""
    samples = record.samples
    found: dict[str, float] = {f"n_{name}": len(samples) if population is None else int(population(samples).sum())}
    for metric in _DISTANCES:
        found |= with_interval(f"{metric}/{name}", record, metric, population)
    return found


def with_interval(name: str, record: Record, metric: str, population: Population | None = None) -> dict[str, float]:
    """``name/mean``, ``name/low`` and ``name/high`` of a metric over a population; empty where there is no value."""
    return named(f"{name}/mean", mean_with_interval([record], metric, BOOTSTRAP, population))


def named(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate and its interval: "a/mean" has "a/low" and "a/high", any other "a" has "a/low" and "a/high" too."""
    value = {name: float(estimate.value)} if math.isfinite(estimate.value) else {}
    return value | ends(name, estimate)


def ends(name: str, estimate: Estimate) -> dict[str, float]:
    """The interval alone."""
    base = name.removesuffix("/mean")
    found = {f"{base}/low": float(estimate.low), f"{base}/high": float(estimate.high)}
    return found if all(map(math.isfinite, found.values())) else {}
