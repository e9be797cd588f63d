"""Table of the maps of benign inputs: their quality and their distance to RTS0's."""

from __future__ import annotations

from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import mean_with_interval
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table, names_of

_METRICS = ("object_iou", "deletion", "insertion", "map_mean_benign", "reference_l1")


def benign_table(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """One row an interpreter."""
    cells = [(name, found) for name in trainings.interpreters if (found := trainings.cells(name, "clean"))]
    rows: list[list[Entry]] = [
        [interpreter, *(mean_with_interval(found, metric, bootstrap) for metric in _METRICS)]
        for interpreter, found in cells
    ]
    caption = f"Benign inputs: deletion lower is better, insertion and object IoU higher. {ESTIMATE_NOTE}"
    columns = ["interpreter", *map(short_metric_name, _METRICS)]
    return Table("benign", caption, columns, rows, names_of(found for _, found in cells))
