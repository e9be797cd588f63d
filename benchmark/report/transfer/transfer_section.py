"""The report's part on transfer: a matrix for each set of like cells, and the ensemble as a defence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.report.cohorts.flags import flag_note
from benchmark.report.figures.style import save, styled
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.tables.formats import Table, markdown, write_table
from benchmark.report.transfer.ensemble_defence import defence_table
from benchmark.report.transfer.matrix import Matrix, heat_map, matrices, matrix_table
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


@dataclass(frozen=True)
class TransferPart:
    """The matrices of like cells, by metric, with their tables; ``notes`` are lines of Markdown below them.

    defence: how few interpreters withstand every attack; None between classifiers, or where it has no row.
    """

    name: str
    title: str
    caption: str
    cells: TransferCells
    matrices: dict[str, Matrix]
    tables: list[Table]
    notes: list[str]
    defence: Table | None = None


def transfer_parts(records: Sequence[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> list[TransferPart]:
    """Cells that read another's images, a part for each set of like ones: between interpreters, then classifiers."""
    parts = []
    for slug, alike in by_matrix([record for record in records if not is_between_classifiers(record)]):
        title = f"Transfer between interpreters: {slug}"
        parts.append(
            _part(slug, title, alike, ("map_l1", "looks_benign"), _BETWEEN_INTERPRETERS, bootstrap, defended=True)
        )
    for slug, alike in by_matrix([record for record in records if is_between_classifiers(record)]):
        title = f"Transfer between classifiers: {slug}"
        parts.append(
            _part(
                slug,
                title,
                alike,
                ("map_l1", "looks_benign", "success"),
                _BETWEEN_CLASSIFIERS,
                bootstrap,
                defended=False,
            )
        )
    return parts


def _part(
    slug: str,
    title: str,
    alike: Sequence[Record],
    metrics: Sequence[str],
    caption: str,
    bootstrap: Bootstrap,
    *,
    defended: bool,
) -> TransferPart:
    name, cells = f"transfer-{slug}", transfer_cells(alike)
    by_metric = matrices(cells, metrics, bootstrap)
    full = caption + flag_note(cells.values())
    tables = [matrix_table(f"{name}-{metric}", metric, matrix, full) for metric, matrix in by_metric.items()]
    defence = defence_table(f"{name}-defence", cells, bootstrap) if defended else None
    defence = defence if defence is not None and defence.rows else None
    return TransferPart(name, title, full, cells, by_metric, tables, superseded_note(alike, cells), defence)


def write_transfer(out: Path, parts: Sequence[TransferPart]) -> list[str]:
    """Writes tables and heat maps; returns the page's lines."""
    lines: list[str] = []
    for part in parts:
        with styled():
            save(heat_map(part.matrices), out / "figures", part.name)
        lines += [f"## {part.title}", "", f"![{part.title}](figures/{part.name}.png)", ""]
        for table in part.tables:
            write_table(out / "tables", table)
            lines.append(markdown(table))
        lines += part.notes
        if part.defence is not None:
            write_table(out / "tables", part.defence)
            lines += ["### The ensemble as a defence", "", markdown(part.defence)]
    return lines
