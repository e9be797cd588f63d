"""A table as data, and as CSV for machines, Markdown for the page and LaTeX (booktabs) for a paper."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark.report.statistics.bootstrap import Estimate

if TYPE_CHECKING:
    from benchmark.storage.records import Record


class Interval(NamedTuple):
    """A number with its interval, printed in one line; None where there is none."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        return EMPTY if self.value is None else f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"


Entry = Estimate | Interval | str | int | float | None  # what stands in one column of one row of a table
EMPTY = "–"
ESTIMATE_NOTE = (
    "Each figure: mean, 95 % interval, samples / sources; of several trainings also their number, and the shares of "
    "the variance of one training's figure between trainings, between sources, and in neither alone, percent."
)

_PARTS = ("low", "high", "n", "sources", "trainings", "share_trainings", "share_sources", "share_rest")

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
    "²": r"\textsuperscript{2}",
    "σ": r"$\sigma$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
}


@dataclass(frozen=True)
class Table:
    """``name`` becomes the file name; every row has one entry a column.

    records: names of the cells behind each row; empty where the table does not tell.
    """

    name: str
    caption: str
    columns: list[str]
    rows: list[list[Entry]]
    records: Sequence[Sequence[str]] = field(default_factory=list)


def names_of(rows: Iterable[Iterable[Record]]) -> list[list[str]]:
    """The names of the cells behind each row, for ``Table.records``."""
    return [[str(record.cell["name"]) for record in records] for records in rows]


def number(value: float | int | None) -> str:
    """Three decimals, or a dash where there is nothing; whole numbers as they are."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return EMPTY
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def lines(entry: Entry) -> list[str]:
    """An entry as printed: an estimate takes three lines (value, interval, samples / sources), and a fourth for the
    shares of its variance; anything else one."""
    if isinstance(entry, Estimate):
        if entry.n == 0:
            return [EMPTY]
        shares = [f"variance {entry.shares}"] if entry.shares else []
        return [number(entry.value), f"[{number(entry.low)}, {number(entry.high)}]", entry.size, *shares]
    return [number(entry)] if entry is None or isinstance(entry, int | float) else [str(entry)]


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<![\w\]}])-(?=\d)", "$-$", escaped)  # a minus, not a hyphen


def escape_markdown(text: str) -> str:
    """Text that cannot break a table row, nor turn into emphasis, HTML or a link."""
    for character in "\\|*_`<[":
        text = text.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return " ".join(text.split())


def markdown(table: Table) -> str:
    """A pipe table with its caption below."""
    rows = ["| " + " | ".join(escape_markdown(name) for name in table.columns) + " |"]
    rows.append("|" + " --- |" * len(table.columns))
    for row in table.rows:
        entries = ["<br>".join(escape_markdown(line).replace("\\[", "[") for line in lines(entry)) for entry in row]
        rows.append("| " + " | ".join(entries) + " |")
    return "\n".join([*rows, "", f"*{escape_markdown(table.caption)}*", ""])


def latex(table: Table) -> str:
    """A table environment that needs no package but booktabs."""
    out = [r"\begin{table}", r"\centering", r"\scriptsize", rf"\caption{{{escape_latex(table.caption)}}}"]
    out += [rf"\label{{tab:{table.name}}}", rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}", r"\toprule"]
    out += [" & ".join(escape_latex(name) for name in table.columns) + r" \\", r"\midrule"]
    for row in table.rows:
        entries = []
        for entry in row:
            parts = [escape_latex(line) for line in lines(entry)]
            # \relax keeps the "[" of an interval from being read as an option of the line break
            stacked = r"\\\relax ".join(parts)
            entries.append(parts[0] if len(parts) == 1 else rf"\shortstack[l]{{{stacked}}}")
        out.append(" & ".join(entries) + r" \\")
    return "\n".join([*out, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _csv_entries(entry: Entry, is_estimate: bool) -> list[str | int | float]:
    entry = str(entry) if isinstance(entry, Interval) else entry
    if is_estimate:
        if not isinstance(entry, Estimate):
            return ["" if entry is None else entry, *[""] * len(_PARTS)]
        numbers = ["" if math.isnan(x) else float(f"{x:.6g}") for x in (entry.value, entry.low, entry.high)]
        known = entry.shares
        shares = [known.trainings, known.sources, known.rest] if known else [math.nan] * 3
        rounded = ["" if math.isnan(x) else float(f"{x:.6g}") for x in shares]
        return [*numbers, entry.n, entry.n_sources, entry.trainings, *rounded]
    assert not isinstance(entry, Estimate)
    return ["" if entry is None or (isinstance(entry, float) and math.isnan(entry)) else entry]


def write_csv(path: Path, table: Table) -> None:
    """One column a number: an estimate becomes <name> and <name>_<part> for each of ``_PARTS``."""
    estimates = [any(isinstance(row[i], Estimate) for row in table.rows) for i in range(len(table.columns))]
    header: list[str] = []
    for name, is_estimate in zip(table.columns, estimates, strict=True):
        header += [name, *(f"{name}_{part}" for part in _PARTS)] if is_estimate else [name]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in table.rows:
            writer.writerow([part for entry, e in zip(row, estimates, strict=True) for part in _csv_entries(entry, e)])


def write_table(folder: Path, table: Table) -> None:
    """<folder>/<name>.csv, .md and .tex."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / f"{table.name}.csv", table)
    (folder / f"{table.name}.md").write_text(markdown(table), encoding="utf-8")
    (folder / f"{table.name}.tex").write_text(latex(table), encoding="utf-8")
