"""``python -m benchmark sync``: records, trainings and comparisons to Weights & Biases, at any time after the fact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.storage.paths import history_files
from benchmark.storage.records import Record, read_records
from benchmark.tracking.comparison_runs import comparisons, log_comparison
from benchmark.tracking.record_runs import log_record, log_training
from benchmark.tracking.wandb_run import was_sent

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Makes a run of every finished record, of every training that one needs and of every interpreter beside RTS, where
    there is none in this mode yet."""

    def work(resolved: dict[str, Any]) -> str:
        if resolved["logger"]["mode"] == "disabled":
            raise ValueError("logger=none sends nothing: sync needs logger=wandb (offline folders) or wandb_online")
        filters = {name: value for name, value in resolved["filter"].items() if value is not None}
        records = read_records(resolved["paths"]["results"], **filters, status="done")
        if not records:
            raise ValueError(f"no finished record in {resolved['paths']['results']} matches {filters or 'at all'}")
        histories = trainings(Path(resolved["paths"]["store"]), records)
        own = {"logger": resolved["logger"], "paths": resolved["paths"]}
        cells = [record for record in records if not was_sent(resolved, record.cell["cell"])]
        curves = [folder for folder in histories if not was_sent(resolved, folder.name)]
        compared = list(comparisons(records))
        beside = [found for found in compared if not was_sent(resolved, found.key)]
        sent = sum(log_record({**record.cell["config"], **own}, record) for record in cells)
        drawn = sum(log_training(first_user(records, folder), own, folder) for folder in curves)
        set_beside = sum(log_comparison(own, found) for found in beside)
        log.info(
            "%d of %d records, %d of %d trainings and %d of %d comparisons sent (%s)",
            *(sent, len(records), drawn, len(histories), set_beside, len(compared), resolved["logger"]["mode"]),
        )
        if failed := len(cells) - sent + len(curves) - drawn + len(beside) - set_beside:
            raise ValueError(f"{failed} were not taken by W&B (see above); the same command sends them again")
        return "done"

    job(config, lambda settings: "sync", work)


def first_user(records: list[Record], folder: Path) -> Record:
    """The first record that names an artefact: its training belongs to that record's group."""
    return next(record for record in records if folder.name in record.cell["artefacts"].values())


def trainings(store: Path, records: list[Record]) -> list[Path]:
    """The folders of the artefacts with a history that the records name."""
    named = {key for record in records for key in record.cell["artefacts"].values()}
    return [path.parent for path in history_files(store) if path.parent.name in named]
