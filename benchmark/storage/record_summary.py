"""The few numbers that stand for a record: what a dashboard shows and a sweeper searches by."""

from __future__ import annotations

from benchmark.storage.columns import COLUMNS
from benchmark.storage.records import Record

# Their names are stable: "<column>/mean", and "<column>_rate" of a flag.
SUMMARY_NAMES: tuple[str, ...] = tuple(column.summary_name for column in COLUMNS if column.summarised)


def summary_of(record: Record) -> dict[str, float]:
    """Means and rates over all samples (NaN left out), facts as ``fact/<name>``, ``n_samples`` and ``seconds``.

    A column without a single value has no mean.
    """
    samples, cell = record.samples, record.cell
    means = {
        column.summary_name: float(samples[column.name].mean())
        for column in COLUMNS
        if column.summarised and column.name in samples and samples[column.name].notna().any()
    }
    facts = {f"fact/{name}": value for name, value in cell["facts"].items() if isinstance(value, int | float)}
    return {**means, **facts, "n_samples": cell["n_samples"], "seconds": sum(cell["seconds"].values())}
