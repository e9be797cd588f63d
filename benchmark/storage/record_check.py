"""The checks of a record: against its schema before it is written, and of its format before it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.storage import flags
from benchmark.storage.cell_fields import FIELD_NAMES
from benchmark.storage.columns import BY_NAME
from benchmark.storage.formats import FORMAT, is_other
from benchmark.storage.schema import Column

# pandas and numpy are imported by whoever has samples to check.
if TYPE_CHECKING:
    import pandas as pd

# By how much rounding in float32 may carry a value past the end of its range (SSIM of almost equal maps).
TOLERANCE = 1e-3


class OtherFormat(ValueError):
    """A record that another version of the suite wrote: not damaged, and not to be read by this one."""

    def __init__(self, folder: Path, found: Any) -> None:
        super().__init__(
            f"the record {folder} is of format {found}, this suite writes {FORMAT['cell']}: run the cell again, or "
            "read it with the version that wrote it"
        )
        self.folder, self.found = folder, found


def check_format(folder: Path, cell: Mapping[str, Any]) -> None:
    """Raises OtherFormat if the record in ``folder`` is of another version of the suite."""
    if is_other("cell", found := cell.get("format")):
        raise OtherFormat(folder, found)


def check_samples(samples: pd.DataFrame, further: Sequence[Column] = ()) -> None:
    """Checks a table of samples against the schema.

    Args:
        further: columns of a measure from outside the suite, beside those of ``COLUMNS``.
    Raises:
        ValueError: a column is unknown, has another dtype, or holds NaN or a value outside its range.
    """
    known = BY_NAME | {column.name: column for column in further}
    for name in samples.columns:
        if name not in known:
            raise ValueError(
                f"samples.parquet has no column {name!r}: describe it in benchmark/storage/columns.py, or as one of "
                "the measure's own columns"
            )
        _check_column(samples[name], known[name])


def check_cell(cell: Mapping[str, Any]) -> None:
    """Raises a ValueError if a field or a flag of cell.json is unknown."""
    if unknown := sorted(set(cell) - FIELD_NAMES):
        names = ", ".join(map(repr, unknown))
        raise ValueError(f"cell.json has no field {names}: describe it in benchmark/storage/cell_fields.py")
    if unknown := sorted(set(cell.get("flags", ())) - set(flags.BY_NAME)):
        names = ", ".join(map(repr, unknown))
        raise ValueError(f"cell.json has no flag {names}: describe it in benchmark/storage/flags.py")


def _check_column(values: pd.Series[Any], column: Column) -> None:
    import numpy as np

    where = f"the column {column.name} of samples.parquet"
    if str(values.dtype) != column.dtype:
        raise ValueError(f"{where} is {column.dtype}, got {values.dtype}: convert it where it is measured")
    value_N = values.to_numpy(dtype=np.float64)
    nan_N = np.isnan(value_N)
    if nan_N.any() and not column.nullable:
        raise ValueError(f"{where} is never NaN, got {nan_N.sum()} of {len(value_N)}: look at {column.source}")
    low, high = column.range
    inside_N = np.isfinite(value_N) & (value_N >= low - TOLERANCE) & (value_N <= high + TOLERANCE)
    if not (inside_N | nan_N).all():
        wrong_N = value_N[~(inside_N | nan_N)]
        raise ValueError(
            f"{where} lies in [{low:g}, {high:g}], got {wrong_N[0]:g} ({len(wrong_N)} of {len(value_N)} values are "
            f"outside): look at {column.source}"
        )
