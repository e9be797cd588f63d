"""Table of the maps of benign inputs: their quality and their distance to RTS0's."""

from __future__ import annotations

import numpy as np

from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import column, mean_with_interval
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table, names_of
from benchmark.storage.records import Record

_METRICS = ("object_iou", "deletion", "insertion", "map_mean_benign", "reference_l1")
# Printed where some sample has a value.
_OPTIONAL = ("pointing_game", "energy_in_object", "box_iou")


def benign_table(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """One row an interpreter."""
    cells = [(name, found) for name in trainings.interpreters if (found := trainings.cells(name, "clean"))]
    optional = [name for name in _OPTIONAL if any(_has(record, name) for _, found in cells for record in found)]
    metrics = [_METRICS[0], *optional, *_METRICS[1:]]
    rows: list[list[Entry]] = [
        [interpreter, *(mean_with_interval(found, metric, bootstrap) for metric in metrics)]
        for interpreter, found in cells
    ]
    caption = f"Benign inputs: deletion lower is better, insertion and measures of the object higher. {ESTIMATE_NOTE}"
    columns = ["interpreter", *map(short_metric_name, metrics)]
    return Table("benign", caption, columns, rows, names_of(found for _, found in cells))


def _has(record: Record, name: str) -> bool:
    return bool(np.isfinite(column(record.samples, name)).any())
