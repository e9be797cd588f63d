"""Transfer: adversarial images made against one interpreter or classifier, read by others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmark.report.figures.style import WIDTH, name_of, save, styled
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate, mean
from benchmark.report.tables.formats import Cell, Table, markdown, write_table
from benchmark.report.transfer.ensemble_defence import defence_table
from benchmark.storage.records import Record

METRICS = {"map_l1": "map L1", "looks_benign": "share that looks benign", "success": "success"}
IDENTITY = ("data", "probe", "seed", "data_seed", "split", "budget")
SWEPT = ("epsilon", "steps", "steps_factor", "samples")  # of the probe's settings: each value has its own matrix
NOTE = "All attacked samples; 95 % bootstrap intervals over sources, n as samples / sources."

Place = tuple[str, str]
Matrix = dict[Place, Estimate]


def _probe(record: Record) -> dict[str, Any]:
    return (record.cell.get("config") or {}).get("probe") or {}


def source_of(record: Record) -> str | None:
    """The interpreter or the classifier whose images a cell reads, or None where it was attacked itself."""
    probe = _probe(record)
    if probe.get("surrogate") is not None:
        return str(probe["surrogate"]["label"])
    return None if probe.get("source") is None else str(probe["source"]["name"])


def _between_classifiers(record: Record) -> bool:
    return _probe(record).get("surrogate") is not None


def _reader(record: Record) -> str:
    return str(record.cell["classifier" if _between_classifiers(record) else "interpreter"])


def _attacked_interpreter(record: Record) -> str:
    source = _probe(record).get("source")
    return str(record.cell["interpreter"] if source is None else source["name"])


def by_place(records: list[Record]) -> dict[Place, Record]:
    """{(source, reader): cell}; where settings were changed between two sweeps, the cell that was computed last."""
    oldest_first = sorted(records, key=lambda record: (record.folder / "cell.json").stat().st_mtime_ns)
    return {(str(source_of(record)), _reader(record)): record for record in oldest_first}


def superseded(records: list[Record], cells: dict[Place, Record]) -> list[str]:
    """A sentence on the cells that later ones have taken the place of."""
    shown = {record.folder.name for record in cells.values()}
    left = sorted(record.folder.name for record in records if record.folder.name not in shown)
    if not left:
        return []
    return [f"Left out, computed at other settings before: {', '.join(left)}.", ""]


def matrices(
    cells: dict[Place, Record], metrics: list[str], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> dict[str, Matrix]:
    """metric -> (source, reader) -> estimate."""

    def estimate(record: Record, metric: str) -> Estimate:
        sources = record.samples["source_id"].to_numpy()
        return mean(record.samples[metric].to_numpy(float), sources, bootstrap)

    return {metric: {place: estimate(record, metric) for place, record in cells.items()} for metric in metrics}


def table(name: str, metric: str, matrix: Matrix, caption: str) -> Table:
    """One row a source, one column a reader."""
    sources, readers = (sorted({place[axis] for place in matrix}) for axis in (0, 1))
    rows: list[list[Cell]] = [[source, *(matrix.get((source, reader)) for reader in readers)] for source in sources]
    return Table(name, f"{METRICS[metric]}. {caption} {NOTE}", ["attacked", *readers], rows)


def heat_map(found: dict[str, Matrix]) -> Figure:
    """The matrices side by side, the number in each field."""
    count = len({place[0] for matrix in found.values() for place in matrix})
    figure, all_axes = plt.subplots(
        1, len(found), figsize=(WIDTH, 1.3 + 0.42 * count), layout="constrained", squeeze=False
    )
    for number, (axes, (metric, matrix)) in enumerate(zip(all_axes[0], found.items(), strict=True)):
        sources, readers = (sorted({place[axis] for place in matrix}) for axis in (0, 1))
        values = np.full((len(sources), len(readers)), np.nan)
        for (source, reader), estimate in matrix.items():
            values[sources.index(source), readers.index(reader)] = estimate.value
        top = max(float(np.nanmax(values)), 1e-6) if metric == "map_l1" else 1.0
        axes.imshow(values, cmap="viridis", vmin=0, vmax=top, aspect="auto")
        for row, column in np.ndindex(values.shape):
            dark = values[row, column] < 0.6 * top
            text = "" if np.isnan(values[row, column]) else f"{values[row, column]:.2f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=6.5)
        turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(readers) > 3 else {}
        axes.set_xticks(range(len(readers)), [name_of(reader) for reader in readers], **turned)
        axes.set_yticks(range(len(sources)), [name_of(source) if number == 0 else "" for source in sources])
        axes.set(title=METRICS[metric], xlabel="read by", ylabel="attacked" if number == 0 else "")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def _grouped(records: list[Record], key: Callable[[Record], tuple[Any, ...]]) -> list[tuple[str, list[Record]]]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        fields = dict(zip(IDENTITY, (record.cell.get(field) for field in IDENTITY), strict=True))
        probe = _probe(record)
        swept = [f"{name}_{probe[name]:g}" for name in SWEPT if isinstance(probe.get(name), int | float)]
        groups["-".join(str(part) for part in (*key(record), *fields.values(), *swept))].append(record)
    return sorted(groups.items())


def write_transfer(out: Path, records: list[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> list[str]:
    """Writes tables and heat maps of the cells that read another's images; returns the page's lines."""
    between = [record for record in records if _between_classifiers(record)]
    within = [record for record in records if not _between_classifiers(record)]
    page: list[str] = []
    for slug, group in _grouped(within, lambda record: (record.cell["classifier"],)):
        caption = "Rows: the interpreter that was attacked. Columns: the interpreter that looks at the same images."
        cells = by_place(group)
        page += _section(
            out, f"transfer-{slug}", f"Transfer between interpreters: {slug}", cells, False, caption, bootstrap
        )
        page += superseded(group, cells)
        defence = defence_table(f"transfer-{slug}-defence", cells, bootstrap)
        if defence.rows:
            write_table(out / "tables", defence)
            page += ["### The ensemble as a defence", "", markdown(defence)]
    for slug, group in _grouped(between, lambda record: (record.cell["interpreter"], _attacked_interpreter(record))):
        caption = (
            "Rows: the classifier that was attacked. Columns: the classifier, with its own interpreter, that reads the "
            "same images, where both get the benign image right."
        )
        title = f"Transfer between classifiers: {slug}"
        cells = by_place(group)
        page += _section(out, f"transfer-{slug}", title, cells, True, caption, bootstrap)
        page += superseded(group, cells)
    return page


def _section(
    out: Path,
    slug: str,
    title: str,
    cells: dict[Place, Record],
    between: bool,
    caption: str,
    bootstrap: Bootstrap,
) -> list[str]:
    found = matrices(cells, [*METRICS] if between else [name for name in METRICS if name != "success"], bootstrap)
    with styled():
        save(heat_map(found), out / "figures", slug)
    page = [f"## {title}", "", f"![{title}](figures/{slug}.png)", ""]
    for metric, matrix in found.items():
        written = table(f"{slug}-{metric}", metric, matrix, caption)
        write_table(out / "tables", written)
        page += [markdown(written)]
    return page
