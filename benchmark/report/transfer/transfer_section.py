"""The report's part on transfer: a matrix for each set of like cells, and the ensemble as a defence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.report.cohorts.flags import flag_note
from benchmark.report.figures.style import save, styled
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.tables.formats import markdown, write_table
from benchmark.report.transfer.ensemble_defence import defence_table
from benchmark.report.transfer.matrix import heat_map, matrices, matrix_table
from benchmark.report.transfer.transfer_cells import (
    TransferCells,
    by_matrix,
    is_between_classifiers,
    superseded_note,
    transfer_cells,
)
from benchmark.storage.records import Record

_BETWEEN_INTERPRETERS = (
    "Rows: the interpreter that was attacked. Columns: the interpreter that looks at the same images."
)
_BETWEEN_CLASSIFIERS = (
    "Rows: the classifier that was attacked. Columns: the classifier, with its own interpreter, that reads the "
    "same images, where both get the benign image right."
)


def write_transfer(out: Path, records: Sequence[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> list[str]:
    """Writes tables and heat maps of the cells that read another's images; returns the page's lines."""
    lines: list[str] = []
    for slug, alike in by_matrix([record for record in records if not is_between_classifiers(record)]):
        cells = transfer_cells(alike)
        title, metrics = f"Transfer between interpreters: {slug}", ["map_l1", "looks_benign"]
        lines += _write_matrices(out, slug, title, cells, metrics, _BETWEEN_INTERPRETERS, bootstrap)
        lines += superseded_note(alike, cells)
        lines += _write_defence(out, slug, cells, bootstrap)
    for slug, alike in by_matrix([record for record in records if is_between_classifiers(record)]):
        cells = transfer_cells(alike)
        title, metrics = f"Transfer between classifiers: {slug}", ["map_l1", "looks_benign", "success"]
        lines += _write_matrices(out, slug, title, cells, metrics, _BETWEEN_CLASSIFIERS, bootstrap)
        lines += superseded_note(alike, cells)
    return lines


def _write_matrices(
    out: Path,
    slug: str,
    title: str,
    cells: TransferCells,
    metrics: Sequence[str],
    caption: str,
    bootstrap: Bootstrap,
) -> list[str]:
    name = f"transfer-{slug}"
    by_metric = matrices(cells, metrics, bootstrap)
    with styled():
        save(heat_map(by_metric), out / "figures", name)
    lines = [f"## {title}", "", f"![{title}](figures/{name}.png)", ""]
    for metric, matrix in by_metric.items():
        table = matrix_table(f"{name}-{metric}", metric, matrix, caption + flag_note(cells.values()))
        write_table(out / "tables", table)
        lines.append(markdown(table))
    return lines


def _write_defence(out: Path, slug: str, cells: TransferCells, bootstrap: Bootstrap) -> list[str]:
    table = defence_table(f"transfer-{slug}-defence", cells, bootstrap)
    if not table.rows:
        return []
    write_table(out / "tables", table)
    return ["### The ensemble as a defence", "", markdown(table)]
