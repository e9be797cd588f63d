"""Results that the command line has computed, or that are published, as data frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.report.published.pack import scan_results
from benchmark.report.tables.tidy import CELL, tidy
from benchmark.storage.records import Record


@dataclass(frozen=True)
class Results:
    """Finished cells. Iterating gives records: ``record.cell`` (docs/records.md), ``record.samples`` (pandas),
    ``record.images`` and ``record.maps`` (numpy, of the samples whose pictures were kept)."""

    records: list[Record] = field(repr=False)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, number: int) -> Record:
        return self.records[number]

    def where(self, **fields: Any) -> Results:
        """The cells whose cell.json has these values: ``where(interpreter="rts", probe="adv2_auto", seed=0)``.

        Raises:
            ValueError: a field that no cell has.
        """
        known = {name for record in self.records for name in record.cell}
        if unknown := [name for name in fields if name not in known and self.records]:
            raise ValueError(f"no cell has the field {unknown[0]!r}; there are {', '.join(sorted(known))}")
        matching = [r for r in self.records if all(r.cell.get(name) == value for name, value in fields.items())]
        return Results(matching)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row a cell: what identifies it, its number of samples, and its flags."""
        rows = [
            {
                **{name: record.cell.get(name) for name in CELL},
                "n_samples": record.cell.get("n_samples"),
                "flags": ", ".join(record.cell.get("flags") or ()),
            }
            for record in self.records
        ]
        return pd.DataFrame(rows)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a cell, metric and population with the mean, its 95 % interval over sources and n."""
        return tidy(self.records)


def load_results(folder: str | Path) -> Results:
    """The finished cells below a folder of results, or those published in it (``docs/results/v1``).

    Cells that failed or are damaged are left out, the latter with a warning.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}: name the folder of results (paths.results)")
    scan = scan_results(path)
    scan.warn()
    return Results([record for record in scan.records if record.cell.get("status") == "done"])
