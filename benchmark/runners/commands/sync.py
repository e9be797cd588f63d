"""``python -m benchmark sync``: records to Weights & Biases, at any time after the fact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.records import read_records
from benchmark.runners.jobs import job
from benchmark.runners.views import show_cell

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Makes a run of every finished record that has none; online runs are found again by the cell's hash."""

    def work(resolved: dict[str, Any]) -> str:
        filters = {name: value for name, value in resolved["filter"].items() if value is not None}
        records = read_records(resolved["paths"]["results"], **filters, status="done")
        offline = resolved["logger"]["mode"] == "offline"
        runs = Path(resolved["paths"]["wandb"]) / "wandb"
        sent = 0
        for record in records:
            if offline and list(runs.glob(f"offline-run-*/run-{record.cell['cell']}.wandb")):
                continue
            show_cell(
                {**record.cell["config"], "logger": resolved["logger"], "paths": resolved["paths"]}, record.folder
            )
            sent += 1
        log.info("%d of %d records sent (%s)", sent, len(records), resolved["logger"]["mode"])
        return "done"

    job(config, lambda settings: "sync", work)
