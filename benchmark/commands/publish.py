"""``python -m benchmark publish``: finished records as a small folder that can be shipped and compared with."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.finished import finished_records
from benchmark.commands.common.job import job
from benchmark.report.published.pack import write_pack
from benchmark.storage.records import Record

log = logging.getLogger("underfire")

# Of one publication there should be one value each.
_ONE = ("commit", "device", "threads", "versions")


def main(config: DictConfig) -> None:
    """Writes the folder and prints its size; warns where its cells were not all computed with the same."""

    def work(resolved: dict[str, Any]) -> str:
        if not isinstance(resolved["folder"], str) or not resolved["folder"]:
            raise ValueError(f"folder is the folder to publish into, got {resolved['folder']!r}")
        folder = Path(resolved["folder"])
        done = finished_records(resolved)
        _warn(done)
        index = write_pack(done, folder, folder.resolve().name).index
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        log.info("published  %s: %d cells, %d samples, %.1f MB", folder, index["cells"], index["samples"], size)
        return "done"

    job(config, lambda settings: "publish", work)


def _warn(records: list[Record]) -> None:
    """Says in what the cells differ that one publication should have in common, and what cannot be found again."""
    for name in _ONE:
        values = sorted({str(record.cell.get(name)) for record in records})
        if len(values) > 1:
            log.warning("the cells were computed with %d values of %s: %s", len(values), name, "; ".join(values))
    if any(str(record.cell.get("commit")).endswith("-dirty") for record in records):
        log.warning("some cells were computed by files that had changed since their commit (-dirty)")
