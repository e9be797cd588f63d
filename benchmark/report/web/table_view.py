"""Tables as the page's script draws them: numbers instead of text, so that they sort, filter and show intervals."""

from __future__ import annotations

import math
from typing import Any

from benchmark.report.statistics.bootstrap import Estimate
from benchmark.report.tables.formats import Entry, Interval, Table
from benchmark.report.web.cell_index import CellIndex


def table_view(table: Table, index: CellIndex) -> dict[str, Any]:
    """``rows`` have an entry a column: text, a number, null, or [value, low, high, n, variance] of an estimate.

    ``cells`` are, row by row, the numbers of the cells behind it.
    """
    return {
        "name": table.name,
        "caption": table.caption,
        "columns": table.columns,
        "rows": [[_entry(entry) for entry in row] for row in table.rows],
        "cells": [index.numbers(names) for names in table.records],
    }


def _entry(entry: Entry) -> Any:
    if isinstance(entry, Estimate):
        if entry.n == 0:
            return None
        shares = str(entry.shares) if entry.shares else ""
        return [*map(_number, (entry.value, entry.low, entry.high)), entry.size, shares]
    if isinstance(entry, Interval):
        if entry.value is None:
            return None
        return [*map(_number, entry), "", ""]
    return _number(entry) if isinstance(entry, float) else entry


def _number(value: float | None) -> float | None:
    """Six significant digits; null where there is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
