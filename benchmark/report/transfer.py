"""Transfer: adversarial images made against one interpreter, read by the others."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmark.records import Record
from benchmark.report.intervals import RESAMPLES, Estimate, mean
from benchmark.report.style import WIDTH, name_of, save, styled
from benchmark.report.table import Cell, Table, markdown, write_table

METRICS = {"map_l1": "map L1", "looks_benign": "share that looks benign"}
IDENTITY = ("data", "classifier", "probe", "seed", "data_seed", "split", "budget")
CAPTION = (
    "Rows: the interpreter that was attacked. Columns: the interpreter that looks at the same images. All attacked "
    "samples; 95 % bootstrap intervals over sources, n as samples / sources."
)

Matrix = dict[tuple[str, str], Estimate]


def source_of(record: Record) -> str | None:
    """The interpreter whose adversarial images a cell reads, or None where it was attacked itself."""
    source = (record.cell.get("config") or {}).get("probe", {}).get("source")
    return None if source is None else str(source["name"])


def matrices(records: list[Record], *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Matrix]:
    """metric -> (source, target) -> estimate."""
    found: dict[str, Matrix] = {metric: {} for metric in METRICS}
    for record in records:
        place = (str(source_of(record)), record.cell["interpreter"])
        sources = record.samples["source_id"].to_numpy()
        for metric, matrix in found.items():
            values = record.samples[metric].to_numpy(float)
            matrix[place] = mean(values, sources, resamples=resamples, seed=seed)
    return found


def table(name: str, metric: str, matrix: Matrix) -> Table:
    """One row a source, one column a target."""
    sources, targets = (sorted({place[axis] for place in matrix}) for axis in (0, 1))
    rows: list[list[Cell]] = [[source, *(matrix.get((source, target)) for target in targets)] for source in sources]
    return Table(name, f"{METRICS[metric]}. {CAPTION}", ["attacked", *targets], rows)


def heat_map(found: dict[str, Matrix]) -> Figure:
    """Both matrices side by side, the number in each field."""
    figure, all_axes = plt.subplots(1, len(found), figsize=(WIDTH, 2.9), layout="constrained")
    for axes, (metric, matrix) in zip(all_axes, found.items(), strict=True):
        sources, targets = (sorted({place[axis] for place in matrix}) for axis in (0, 1))
        values = np.full((len(sources), len(targets)), np.nan)
        for (source, target), estimate in matrix.items():
            values[sources.index(source), targets.index(target)] = estimate.value
        top = 1.0 if metric == "looks_benign" else max(float(np.nanmax(values)), 1e-6)
        axes.imshow(values, cmap="viridis", vmin=0, vmax=top, aspect="auto")
        for row, column in np.ndindex(values.shape):
            dark = values[row, column] < 0.6 * top
            text = "" if np.isnan(values[row, column]) else f"{values[row, column]:.3f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
        axes.set_xticks(range(len(targets)), [name_of(target) for target in targets])
        axes.set_yticks(range(len(sources)), [name_of(source) for source in sources])
        axes.set(title=METRICS[metric], xlabel="read by", ylabel="attacked")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def write_transfer(out: Path, records: list[Record], *, resamples: int = RESAMPLES, seed: int = 0) -> list[str]:
    """Writes tables and heat maps of the cells that read another interpreter's images; returns the page's lines."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[tuple(record.cell.get(field) for field in IDENTITY)].append(record)
    page: list[str] = []
    for identity, group in sorted(groups.items(), key=lambda item: str(item[0])):
        slug = "transfer-" + "-".join(str(part) for part in identity[:4])
        found = matrices(group, resamples=resamples, seed=seed)
        with styled():
            save(heat_map(found), out / "figures", slug)
        title = ", ".join(f"{field} {value}" for field, value in zip(IDENTITY, identity, strict=True))
        page += [f"## Transfer: {title}", "", f"![Transfer](figures/{slug}.png)", ""]
        for metric, matrix in found.items():
            written = table(f"{slug}-{metric}", metric, matrix)
            write_table(out / "tables", written)
            page += [markdown(written)]
    return page
