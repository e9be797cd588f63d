"""Transfer matrices as coloured tables: a number in every field, the colour behind it."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np

from benchmark.report.labels import interpreter_name, metric_name
from benchmark.report.transfer.matrix import Matrix, sources_and_readers
from benchmark.report.transfer.transfer_cells import TransferCells, TransferKey
from benchmark.report.web.cell_index import CellIndex

COLOURS = "viridis"  # perceptually uniform, and told apart by the colour-blind


def heat_view(metric: str, matrix: Matrix, cells: TransferCells, index: CellIndex) -> dict[str, Any]:
    """One row a source, one field a reader: text, colours and the cell behind it."""
    sources, readers = sources_and_readers(matrix)
    top = max((each.value for each in matrix.values() if np.isfinite(each.value)), default=1.0)
    top = max(top, 1e-6) if metric == "map_l1" else 1.0
    rows = []
    for source in sources:
        fields: list[dict[str, Any] | None] = []
        for reader in readers:
            key = TransferKey(source, reader)
            if key not in matrix or not np.isfinite(matrix[key].value):
                fields.append(None)
                continue
            each = matrix[key]
            back, front = colours(each.value / top)
            fields.append(
                {
                    "text": f"{each.value:.2f}",
                    "title": str(each),
                    "back": back,
                    "front": front,
                    "cell": index.number(cells[key]),
                }
            )
        rows.append({"name": interpreter_name(source), "fields": fields})
    return {"metric": metric_name(metric), "readers": [interpreter_name(reader) for reader in readers], "rows": rows}


def colours(share: float) -> tuple[str, str]:
    """Background of a value in [0, 1], and black or white text, whichever stands out more."""
    red, green, blue, _ = matplotlib.colormaps[COLOURS](float(np.clip(share, 0, 1)))
    front = "#000000" if luminance(red, green, blue) > 0.18 else "#ffffff"
    return matplotlib.colors.to_hex((red, green, blue)), front


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
