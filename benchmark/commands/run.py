"""``python -m benchmark run``: one cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.configuration.cells import Cell
from benchmark.pipeline.cell import run_cell


def main(config: DictConfig) -> float | tuple[float, ...] | None:
    """Computes the configured cell, or finds it done; a mistake becomes a sentence and a failed outcome.

    Returns what ``objective`` names, for a sweeper that searches: one number, or several.
    """
    found: list[float] = []

    def work(resolved: dict[str, Any]) -> str:
        folder, status = run_cell(resolved)
        names = resolved["objective"] or []
        for name in [names] if isinstance(names, str) else names:
            found.append(_value(name, folder))
        return status

    job(config, lambda resolved: Cell(resolved).name, work)
    return found[0] if len(found) == 1 else tuple(found) or None


def _value(name: str, folder: Path) -> float:
    """A summary metric of the cell, or with ``clean:`` before it of the same settings' cell without a probe."""
    from benchmark.storage.record_summary import summary_of
    from benchmark.storage.records import read_record

    where, _, metric = name.rpartition(":")
    if where == "clean":
        folder, _ = run_cell(_without_probe())
    elif where:
        raise ValueError(f"objective {name!r}: only 'clean:' may stand before a metric")
    summary = summary_of(read_record(folder))
    if metric not in summary:
        raise ValueError(f"objective {name!r} is no summary metric of {folder.name}; it has {', '.join(summary)}")
    return float(summary[metric])


def _without_probe() -> dict[str, Any]:
    """This job's own configuration with probe=clean."""
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig

    from benchmark.configuration.resolution import as_dict

    overrides = [each for each in HydraConfig.get().overrides.task if not each.lstrip("+~").startswith("probe")]
    return as_dict(compose("run", overrides=[*overrides, "probe=clean"]))
