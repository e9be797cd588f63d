"""``python -m benchmark verify``: checks artefacts and records; classifies and explains saved images again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.integrity import check_files, missing
from benchmark.commands.common.job import job
from benchmark.commands.common.output import tell_json
from benchmark.storage.paths import artefact_folders

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Names everything that is damaged or does not repeat; exit status 1 if there is any."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.commands.common.repeat import repeat  # imports torch

        samples = resolved["samples"]
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 0:
            raise ValueError(f"samples is a number of images of each record, 0 or more, got {samples!r}")
        if resolved["bundle"] is not None:
            from benchmark.commands.common.bundle_check import check_bundle

            check_bundle(Path(str(resolved["bundle"])), resolved)
            return "done"
        store, results = Path(resolved["paths"]["store"]), Path(resolved["paths"]["results"])
        for path, key in ((store, "paths.store"), (results, "paths.results")):
            if not path.is_dir():
                raise ValueError(f"{key} {path} is not there: nothing could be verified")
        checked = check_files(store, results)
        for note in checked.notes:
            log.warning("%s", note)
        faults = list(checked.faults)
        for record in checked.records:
            if lacking := missing(store, record):
                faults += lacking
                continue
            if checked.unusable & set(record.cell["artefacts"].values()):
                continue  # reported already; classifying its images would make the artefact again
            # The classifier is looked for in the store that is checked, wherever the record was made.
            record.cell["config"]["paths"] = {**record.cell["config"]["paths"], "store": str(store)}
            faults += repeat(record, samples)
        artefacts = len(artefact_folders(store))
        log.info("checked %d artefacts and %d records", artefacts, len(checked.records))
        tell_json(
            {"artefacts": artefacts, "records": len(checked.records), "faults": faults, "notes": list(checked.notes)}
        )
        if faults:
            raise ValueError("\n  ".join([f"{len(faults)} faults:", *faults]))
        return "done"

    job(config, lambda settings: "verify", work)
