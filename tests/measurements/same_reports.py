"""Two reports compared by value: tables, verdicts, texts and figures, file by file.

Left aside: commit, versions, seconds, and the hashes of cells. PDF figures only have to be there; the PNG beside each
is compared pixel by pixel.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tests.measurements.same_values import Comparison, array_difference

LEFT_ASIDE = ("seconds", "commit", "versions")  # columns, keys of JSON, and rows that begin with one of them
NAMES = ("record", "name")  # columns of cells' names: they put the rows in order, and hashes are a part of them

Table = tuple[list[str], list[list[str]]]  # header and rows


@dataclass
class Page:
    """A file of text: its tables, and the lines beside them."""

    tables: list[Table] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def compare_reports(comparison: Comparison, old: Path, new: Path) -> None:
    """Every file of two report folders.

    Raises:
        ValueError: one of them is empty.
    """
    files = [
        {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()} for root in (old, new)
    ]
    for root, found in zip((old, new), files, strict=True):
        if not found:
            raise ValueError(f"there is no report in {root}")
    for name, before, after in comparison.shared("report", *files):
        _compare_files(comparison, f"report: {name}", before, after)


def _compare_files(comparison: Comparison, where: str, old: Path, new: Path) -> None:
    if old.suffix == ".json":
        comparison.compared["verdict files"] += 1
        values = [json.loads(path.read_text(encoding="utf-8")) for path in (old, new)]
        comparison.fields(where, plain(values[0], comparison.renamed), plain(values[1], {}))
    elif old.suffix == ".parquet":
        comparison.compared["tables"] += 1
        comparison.columns(where, _frame(old, comparison.renamed), _frame(new, {}))
    elif old.suffix == ".png":
        comparison.compared["figures"] += 1
        if what := array_difference(*(np.asarray(Image.open(path)) for path in (old, new))):
            comparison.differ(where, what)
    elif old.suffix in (".csv", ".md", ".tex"):
        _compare_pages(comparison, where, read_page(old), read_page(new))


def masked(text: str) -> str:
    """Without what belongs to one commit or run alone: hashes of cells, and the seconds of all cells together."""
    if re.fullmatch(r"[0-9a-f]{16}", text):
        return "#"
    return re.sub(r"(-s\d+)-[0-9a-f]{8}\b", r"\1", re.sub(r", \d+ s in all", "", text))


def plain(value: Any, renamed: dict[str, str]) -> Any:
    """JSON without what is left aside; texts that are an old name as a whole are the new name."""
    if isinstance(value, dict):
        return {key: plain(item, renamed) for key, item in value.items() if key not in LEFT_ASIDE}
    if isinstance(value, list):
        return [plain(item, renamed) for item in value]
    return renamed.get(value, masked(value)) if isinstance(value, str) else value


def _frame(path: Path, renamed: dict[str, str]) -> pd.DataFrame:
    """A table whose rows are in the order of their values."""
    frame = pd.read_parquet(path)
    frame = frame.drop(columns=[name for name in LEFT_ASIDE if name in frame])
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        frame[name] = [plain(value, renamed) for value in frame[name]]
    return frame.sort_values(list(frame.columns), ignore_index=True)


def read_page(path: Path) -> Page:
    """A CSV file is one table; in Markdown the lines that begin with a bar are tables; LaTeX is lines."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        return Page([(header, rows)])
    page, table = Page(), []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if path.suffix == ".md" and line.startswith("|"):
            table.append([cell.strip().replace("\\", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
            continue
        if table:
            page.tables.append((table[0], table[2:]))  # the second line is a rule
            table = []
        page.lines.append(masked(line))
    return page


def _compare_pages(comparison: Comparison, where: str, old: Page, new: Page) -> None:
    if len(old.tables) != len(new.tables):
        comparison.differ(where, f"{len(old.tables)} tables -> {len(new.tables)}")
    for number, (before, after) in enumerate(zip(old.tables, new.tables, strict=False)):
        _compare_tables(comparison, f"{where}: table {number}" if len(old.tables) > 1 else where, before, after)
    changes = list(difflib.unified_diff(old.lines, new.lines, n=0, lineterm=""))[2:]  # after the names of files
    for line in changes:
        if not line.startswith("@@"):
            comparison.differ(where, line)


def _compare_tables(comparison: Comparison, where: str, old: Table, new: Table) -> None:
    """Cell by cell; texts that are numbers are compared as numbers."""
    comparison.compared["tables"] += 1
    columns = _columns(old, comparison.renamed), _columns(new, {})
    if len(old[1]) != len(new[1]):
        comparison.differ(where, f"{len(old[1])} rows -> {len(new[1])}")
        return
    for name, before, after in comparison.shared(where, *columns):
        for row, (text, other) in enumerate(zip(before, after, strict=True)):
            if not _same(text, other):
                comparison.differ(f"{where}: {name}", f"row {row}: {text} -> {other}")


def _columns(table: Table, renamed: dict[str, str]) -> dict[str, list[str]]:
    """{column: its texts}, without what is left aside; of columns with one name the later ones are numbered."""
    header = table[0]
    rows = [[plain(text, renamed) for text in row] for row in table[1] if not row or row[0] not in LEFT_ASIDE]
    if places := [header.index(name) for name in NAMES if name in header]:
        rows.sort(key=lambda row: [row[place] for place in places])
    found: dict[str, list[str]] = {}
    seen: Counter[str] = Counter()
    for place, name in enumerate(header):
        seen[name] += 1
        if name not in LEFT_ASIDE:
            found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = [row[place] for row in rows]
    return found


def _same(text: str, other: str) -> bool:
    try:
        return text == other or float(text) == float(other)
    except ValueError:
        return False
