"""``python -m benchmark run``: one cell."""

from __future__ import annotations

from omegaconf import DictConfig

from benchmark.runners.cell import run_cell
from benchmark.runners.jobs import job
from benchmark.specs import cell_name


def main(config: DictConfig) -> None:
    """Computes the configured cell, or finds it done; a mistake becomes a sentence and a failed outcome."""
    job(config, cell_name, lambda resolved: run_cell(resolved)[1])
