"""``python -m benchmark run``: one cell."""

from __future__ import annotations

from omegaconf import DictConfig

from benchmark.runners.cell import run_cell
from benchmark.runners.jobs import as_dict, job
from benchmark.specs import cell_name


def main(config: DictConfig) -> None:
    """Computes the configured cell, or finds it done; a mistake becomes a sentence and a failed outcome."""
    resolved = as_dict(config)
    job(resolved, cell_name, lambda: run_cell(resolved)[1])
