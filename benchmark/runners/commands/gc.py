"""``python -m benchmark gc``: artefacts that no record needs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.leases import held
from benchmark.records import read_records
from benchmark.runners.integrity import half_made, unused
from benchmark.runners.jobs import job

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Lists them with their size, or deletes them when told to."""

    def work(resolved: dict[str, Any]) -> str:
        store = Path(resolved["paths"]["store"])
        if busy := sorted(path.name for path in store.glob("*/*.lease") if held(path)):
            raise ValueError(
                f"{len(busy)} artefacts are being made ({busy[0]} ...), whose records are still to come: run gc when "
                "the sweep has ended, or has been stopped"
            )
        results = Path(resolved["paths"]["results"])
        if not results.is_dir():
            raise ValueError(f"paths.results {results} is not there: without its records nothing would be needed")
        if busy := sorted(path.name for path in results.glob(".leases/*") if path.suffix != ".mutex" and held(path)):
            raise ValueError(f"{len(busy)} cells are being computed ({busy[0]} ...): run gc when the sweep has ended")
        records = read_records(results, status="done")
        damaged = len(list(results.glob("*/cell.json"))) - len(read_records(results))
        if resolved["delete"] and (damaged or not records):
            raise ValueError(
                f"{results} has {len(records)} finished records and {damaged} damaged ones: what those need would be "
                "deleted; run their cells again first, or delete the store yourself"
            )
        found = [*unused(store, records), *half_made(store)]
        total = 0
        for path in found:
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            total += size
            log.info("%8.1f MB  %s", size / 1e6, path)
            if resolved["delete"]:
                shutil.rmtree(path)
        what = "deleted" if resolved["delete"] else "that no record needs (delete=true deletes them)"
        log.info("%d artefacts, %.1f MB, %s", len(found), total / 1e6, what)
        return "done"

    job(config, lambda settings: "gc", work)
