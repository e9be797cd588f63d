"""Whether two folders of results hold the same values: the check that a refactoring has changed no result.

python -m tests.measurements.same_records OLD NEW [--renamed old=new]... [--reports OLD_REPORT NEW_REPORT]

Exit status 0 and what was compared, or 1 and every difference. OLD and NEW may come from different commits with other
module layouts and hashes. So nothing of ``benchmark`` is imported, and cells are matched by what they are (data set,
probe, seed, ...), never by hash or folder.

Compared: which cells there are; status, reason, n, threads, facts and counts of each; every column of samples.parquet
and every array of the .safetensors files, exactly. Not compared: seconds, versions, commit, device, hashes, checksums
and the configuration. Reports: see ``tests.measurements.same_reports``.

Counts are of the passes that a cell made itself, so both sweeps must have started with an equally filled store.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.numpy import load_file

from tests.measurements.same_reports import compare_reports
from tests.measurements.same_values import Comparison, array_difference, flat

IDENTITY = (
    *("data", "classifier", "interpreter", "probe", "level", "steps_factor"),
    *("seed", "data_seed", "split", "budget", "experiment"),
)
COMPARED = ("status", "reason", "n_samples", "n_sources", "threads", "facts", "counts")
# Of the configuration: where and how a cell was computed, not which cell it is.
SURROUNDINGS = ("paths", "logger", "trainer", "modules", "force", "objective", "retry")


@dataclass(frozen=True)
class Cell:
    """One record: its identifying fields, its settings ({path: value}) and the fields that are compared."""

    folder: Path
    identity: dict[str, Any]
    settings: dict[str, Any]
    compared: dict[str, Any]


def read_cells(root: Path, comparison: Comparison, *, old: bool) -> list[Cell]:
    """The records below ``root``; the settings of ``old`` ones under their new names.

    Raises:
        ValueError: there are none, or one cannot be read.
    """
    cells = [_cell(path, comparison, old) for path in sorted(root.glob("*/cell.json"))]
    if not cells:
        raise ValueError(f"there is no record in {root}: expected folders with a cell.json")
    return cells


def _cell(path: Path, comparison: Comparison, old: bool) -> Cell:
    try:
        about = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}); run the cell again") from None

    def field(name: str, among: dict[str, Any] = about) -> Any:
        return among.get(comparison.new_name(name), among.get(name))

    config = {name: value for name, value in (about.get("config") or {}).items() if name not in SURROUNDINGS}
    settings = {comparison.new_name(name) if old else name: value for name, value in flat(config).items()}
    for name in settings:
        if name.endswith("_target_"):  # a class's name, wherever its module lies
            settings[name] = str(settings[name]).rpartition(".")[2]
    identity = {name: field(name) for name in IDENTITY}
    identity["source"] = field("probe.source.name", settings)
    identity["surrogate"] = field("probe.surrogate.label", settings)
    return Cell(path.parent, identity, settings, {name: field(name) for name in COMPARED})


def swept(cells: Sequence[Cell]) -> list[list[str]]:
    """The settings in which cells differ; those that vary together (one feeds the other) stand in one list."""
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in sorted({path for cell in cells for path in cell.settings}):
        values = tuple(json.dumps(cell.settings.get(path)) for cell in cells)
        if len(set(values)) > 1:
            together[values].append(path)
    return list(together.values())


def telling(old: Sequence[Cell], new: Sequence[Cell]) -> list[str]:
    """The settings that tell cells of one identity apart; of those that vary together the one nearest the top.

    Settings that both sides have are preferred: a refactoring may have moved the others.
    """
    common = set.intersection(*({path for cell in side for path in cell.settings} for side in (old, new) if side))

    def preference(path: str) -> tuple[Any, ...]:
        return path not in common, "_target_" in path, path.count("."), path

    return sorted({min(paths, key=preference) for side in (old, new) for paths in swept(side)})


def by_name(old: Sequence[Cell], new: Sequence[Cell]) -> list[dict[str, Cell]]:
    """Both sides as {what the cell is, in words: cell}.

    Raises:
        ValueError: two cells of one side cannot be told apart.
    """
    alike: dict[str, tuple[list[Cell], list[Cell]]] = defaultdict(lambda: ([], []))
    for number, side in enumerate((old, new)):
        for cell in side:
            alike[json.dumps(cell.identity)][number].append(cell)
    named: list[dict[str, Cell]] = [{}, {}]
    for sides in alike.values():
        settings = telling(*sides)
        for found, side in zip(named, sides, strict=True):
            for cell in side:
                name = _words(cell.identity | {path: cell.settings.get(path) for path in settings})
                if name in found:
                    raise ValueError(f"{found[name].folder} and {cell.folder} are both {name}: take one of them away")
                found[name] = cell
    return named


def _words(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def compare_results(comparison: Comparison, old: Path, new: Path) -> None:
    """Every cell of two folders of results."""
    sides = by_name(read_cells(old, comparison, old=True), read_cells(new, comparison, old=False))
    for name, before, after in comparison.shared("cells", *sides):
        comparison.compared["cells"] += 1
        _compare_cell(comparison, name, before, after)


def _compare_cell(comparison: Comparison, name: str, old: Cell, new: Cell) -> None:
    """The fields, columns and arrays of one cell."""
    for field in COMPARED:
        comparison.fields(f"{name}: {field}", _restaged(old.compared[field], comparison), new.compared[field])
    files = [
        {path.name: path for path in sorted(cell.folder.iterdir()) if path.suffix in (".parquet", ".safetensors")}
        for cell in (old, new)
    ]
    for file, before, after in comparison.shared(name, *files):
        where = f"{name}: {file}"
        if before.suffix == ".parquet":
            comparison.columns(where, pd.read_parquet(before), pd.read_parquet(after))
        else:
            _compare_arrays(comparison, where, before, after)


def _restaged(value: Any, comparison: Comparison) -> Any:
    """A failure's stage is the name of a function (module.function), which may be a new one."""
    if isinstance(value, dict) and "stage" in value:
        return {**value, "stage": comparison.new_name(value["stage"])}
    return value


def _compare_arrays(comparison: Comparison, where: str, old: Path, new: Path) -> None:
    for name, before, after in comparison.shared(where, load_file(old), load_file(new)):
        if before.ndim > 1:  # sample_id is no picture
            comparison.compared[old.stem] += len(before)
        if what := array_difference(before, after):
            comparison.differ(f"{where}: {name}", what)


def _pair(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not old or not new:
        raise argparse.ArgumentTypeError(f"expected old=new, got {text}")
    return old, new


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compares two folders of results by value.")
    parser.add_argument("old", type=Path, metavar="OLD", help="results before")
    parser.add_argument("new", type=Path, metavar="NEW", help="results after")
    parser.add_argument("--renamed", action="append", default=[], type=_pair, metavar="old=new", help="a field's name")
    parser.add_argument("--reports", nargs=2, type=Path, metavar=("OLD", "NEW"), help="also these two reports")
    options = parser.parse_args(arguments)
    comparison = Comparison(dict(options.renamed))
    try:
        compare_results(comparison, options.old, options.new)
        if options.reports:
            compare_reports(comparison, *options.reports)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    done = ", ".join(f"{count} {what}" for what, count in sorted(comparison.compared.items())) or "nothing"
    if comparison.differences:
        sys.stdout.write("\n".join([*comparison.differences, f"{len(comparison.differences)} differences in {done}\n"]))
        return 1
    sys.stdout.write(f"the same: {done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
