"""``python -m benchmark select``: the choice of settings, from calibration records alone."""

from __future__ import annotations

import logging

from omegaconf import DictConfig

from benchmark.report.selection import build_selection
from benchmark.runners.jobs import as_dict, job

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Writes selection.md and selection.csv and prints where they are."""
    resolved = as_dict(config)

    def work() -> str:
        filters = {name: value for name, value in resolved["filter"].items() if value is not None}
        path = build_selection(resolved["paths"]["results"], resolved["paths"]["report"], resolved["keys"], filters)
        log.info("selection  %s", path)
        return "done"

    job(resolved, lambda settings: "select", work)
