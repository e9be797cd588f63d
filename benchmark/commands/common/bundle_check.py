"""``python -m benchmark verify BUNDLE``: is an entry what it says, and do its images do here what it says?"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from benchmark.commands.common.integrity import missing
from benchmark.leaderboard.board import write_check
from benchmark.leaderboard.bundle import read_bundle
from benchmark.leaderboard.check import faults_of
from benchmark.storage.records import read_records

log = logging.getLogger("underfire")


def check_bundle(path: Path, resolved: dict[str, Any]) -> None:
    """Checks the file, then its images with the networks of this machine, and writes BUNDLE.check.json.

    Raises:
        ValueError: the bundle is refused, contradicts itself, or does not repeat. OSError: it cannot be read.
    """
    bundle = read_bundle(path)
    log.info("bundle  %s: %s %s by %s, %d cells", path.name, bundle.kind, bundle.name, bundle.by, len(bundle.records))
    if faults := faults_of(bundle):
        raise ValueError("\n  ".join([f"{path.name} contradicts itself:", *faults]))
    results = Path(resolved["paths"]["results"])
    own = read_records(results, status="done") if results.is_dir() else []
    own = [record for record in own if not missing(Path(resolved["paths"]["store"]), record)]  # nothing is trained
    from benchmark.leaderboard.recheck import recheck  # imports torch

    paths = {name: resolved["paths"][name] for name in ("store", "data", "results") if name in resolved["paths"]}
    found = recheck(bundle, own, paths)
    for note in found.notes:
        log.warning("%s", note)
    for cell in found.cells:
        if cell:
            here, said = cell["here"], cell["reported"]
            log.info(
                "cell %s (%s, %s, seed %s), n %d: joint success %.3f here, %.3f reported; map L1 %.4f, %.4f",
                *(cell[name] for name in ("cell", "interpreter", "probe", "seed", "n")),
                *(here["joint_success"], said["joint_success"], here["map_l1"], said["map_l1"]),
            )
    if found.cells:
        outcome = {"cells": list(found.cells), "faults": list(found.faults), "machine": _machine(own)}
        target = write_check(path, outcome)
        log.info("written  %s", target)
    if found.faults:
        raise ValueError("\n  ".join([f"{path.name} does not repeat here:", *found.faults]))


def _machine(own: list[Any]) -> str:
    return str(own[0].cell.get("device", "")) if own else ""
