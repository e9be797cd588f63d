"""``python -m benchmark gc``: artefacts that no record needs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.integrity import named_by_others, unused
from benchmark.commands.common.job import job
from benchmark.storage.leases import is_held, read
from benchmark.storage.paths import artefact_leases, cell_leases, partials
from benchmark.storage.records import scan_records

log = logging.getLogger("underfire")

_ELSEWHERE = "; if no process is left on the machine that it names, remove the file of the lease"


def main(config: DictConfig) -> None:
    """Lists artefacts that no record needs, with their size; with delete=true deletes them."""

    def work(resolved: dict[str, Any]) -> str:
        if not isinstance(resolved["delete"], bool):
            raise ValueError(f"delete is true or false, got {resolved['delete']!r}")
        store = Path(resolved["paths"]["store"])
        if busy := [path for path in artefact_leases(store) if is_held(path)]:
            raise ValueError(
                f"{len(busy)} artefacts are being made ({_about(busy)}), whose records are still to come: run gc when "
                f"the sweep has ended, or has been stopped{_ELSEWHERE}"
            )
        results = Path(resolved["paths"]["results"])
        if not results.is_dir():
            raise ValueError(f"paths.results {results} is not there: without its records nothing would be needed")
        if busy := [path for path in cell_leases(results) if is_held(path)]:
            raise ValueError(
                f"{len(busy)} cells are being computed ({_about(busy)}): run gc when the sweep has ended{_ELSEWHERE}"
            )
        scan = scan_records(results)
        scan.warn()
        records, damaged = scan.matching(status="done"), len(scan.damaged)
        if resolved["delete"] and (damaged or not records):
            raise ValueError(
                f"{results} has {len(records)} finished records and {damaged} damaged ones: what those need would be "
                "deleted; run their cells again first, or delete the store yourself"
            )
        if scan.other:
            log.info("every artefact that one of these %d records of another format names is kept", len(scan.other))
        found = [*unused(store, records, named_by_others(scan.other)), *partials(store)]
        total = 0
        for path in found:
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            total += size
            log.info("%8.1f MB  %s", size / 1e6, path)
            if resolved["delete"]:
                path.unlink() if path.is_file() else shutil.rmtree(path)
        what = "deleted" if resolved["delete"] else "that no record needs (delete=true deletes them)"
        log.info("%d artefacts, %.1f MB, %s", len(found), total / 1e6, what)
        return "done"

    job(config, lambda settings: "gc", work)


def _about(busy: list[Path]) -> str:
    """The first lease and its owner."""
    owner = read(busy[0]) or "a process that has ended"
    return f"{busy[0]}, by {owner}" + (" ..." if len(busy) > 1 else "")
