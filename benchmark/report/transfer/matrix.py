"""The transfer matrix, as a table and as a heat map: one row a source, one column a reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures.style import WIDTH
from benchmark.report.labels import interpreter_name, metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate, mean
from benchmark.report.tables.formats import Entry, Table
from benchmark.report.transfer.transfer_cells import TransferCells, TransferKey
from benchmark.storage.records import Record

NOTE = "All attacked samples; 95 % bootstrap intervals over sources, n as samples / sources."

Matrix = dict[TransferKey, Estimate]


def sources_and_readers(keys: Iterable[TransferKey]) -> tuple[list[str], list[str]]:
    """The names of rows and columns, each in alphabetical order."""
    keys = list(keys)
    return sorted({key.source for key in keys}), sorted({key.reader for key in keys})


def matrices(
    cells: TransferCells, metrics: Sequence[str], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> dict[str, Matrix]:
    """metric -> (source, reader) -> mean over all attacked samples."""

    def estimate(record: Record, metric: str) -> Estimate:
        samples = record.samples
        return mean(samples[metric].to_numpy(float), samples["source_id"].to_numpy(), bootstrap)

    return {metric: {key: estimate(record, metric) for key, record in cells.items()} for metric in metrics}


def matrix_table(name: str, metric: str, matrix: Matrix, caption: str) -> Table:
    """One row a source, one column a reader."""
    sources, readers = sources_and_readers(matrix)
    rows: list[list[Entry]] = [
        [source, *(matrix.get(TransferKey(source, reader)) for reader in readers)] for source in sources
    ]
    return Table(name, f"{metric_name(metric)}. {caption} {NOTE}", ["attacked", *readers], rows)


def heat_map(by_metric: dict[str, Matrix]) -> Figure:
    """The matrices side by side, the number in each field."""
    n_sources = len({key.source for matrix in by_metric.values() for key in matrix})
    figure, all_axes = plt.subplots(
        1, len(by_metric), figsize=(WIDTH, 1.3 + 0.42 * n_sources), layout="constrained", squeeze=False
    )
    for index, (axes, (metric, matrix)) in enumerate(zip(all_axes[0], by_metric.items(), strict=True)):
        _heat_map_panel(axes, metric, matrix, is_first=index == 0)
    return figure


def _heat_map_panel(axes: Axes, metric: str, matrix: Matrix, *, is_first: bool) -> None:
    sources, readers = sources_and_readers(matrix)
    values = np.full((len(sources), len(readers)), np.nan)
    for key, estimate in matrix.items():
        values[sources.index(key.source), readers.index(key.reader)] = estimate.value
    top = max(float(np.nanmax(values, initial=0.0)), 1e-6) if metric == "map_l1" else 1.0
    axes.imshow(values, cmap="viridis", vmin=0, vmax=top, aspect="auto")
    for row, column in np.ndindex(values.shape):
        dark = values[row, column] < 0.6 * top
        text = "" if np.isnan(values[row, column]) else f"{values[row, column]:.2f}"
        axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=6.5)
    rotation: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(readers) > 3 else {}
    axes.set_xticks(range(len(readers)), [interpreter_name(reader) for reader in readers], **rotation)
    axes.set_yticks(range(len(sources)), [interpreter_name(source) if is_first else "" for source in sources])
    axes.set(title=metric_name(metric), xlabel="read by", ylabel="attacked" if is_first else "")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
