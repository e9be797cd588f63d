"""Finished cells and trainings as Weights & Biases runs, made from what is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.storage import paths
from benchmark.storage.cell_fields import IDENTITY_FIELDS, TAG_FIELDS
from benchmark.storage.record_summary import summary_of
from benchmark.storage.records import Record
from benchmark.tracking.wandb_run import RunInfo, finish_run, note_sent, start_run

log = logging.getLogger("underfire")


def panel(record: Record, count: int) -> np.ndarray | None:
    """Input, perturbed input and their maps, a row for each of the first ``count`` kept samples.

    Returns:
        uint8 (rows, columns, 3), or None where nothing was kept.
    """
    images, maps = record.images, record.maps
    if not len(images.get("sample_id", ())) or not count:
        return None
    size = images["benign"].shape[-1]
    rows = []
    for index in range(min(count, len(images["sample_id"]))):
        tiles = [images[name][index].transpose(1, 2, 0) for name in ("benign", "probed") if name in images]
        for name in ("benign", "probed"):
            if name in maps:
                values = (maps[name][index].astype(np.float32) * 255).astype(np.uint8)
                nearest = np.arange(size) * values.shape[0] // size
                tiles.append(np.repeat(values[nearest][:, nearest][..., None], 3, axis=2))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows, axis=0)


def log_record(config: dict[str, Any], record: Record) -> bool:
    """Sends one record to W&B and returns whether it was taken. An error of W&B is logged and never raised."""
    if config["logger"]["mode"] == "disabled":
        return False
    cell = record.cell
    tags = [str(cell[name]) for name in TAG_FIELDS]
    info = RunInfo("cell", cell["name"], cell["cell"], tags, _run_config(cell))

    def fill(run: Any) -> None:
        import wandb

        picture = panel(record, config["logger"]["images"])
        if picture is not None:
            caption = "input, perturbed input, map of the input, map of the perturbed input"
            run.log({"samples": wandb.Image(picture, caption=caption)})
        run.summary.update(summary_of(record))

    return _send(config, info, fill)


def log_training(user: Record, settings: dict[str, Any], folder: Path) -> bool:
    """Sends the curves of one artefact's training to W&B from its history, and returns whether they were taken.

    Args:
        user: a record that names the artefact. settings: ``logger`` and ``paths``, instead of the record's.
        folder: the artefact's.
    """
    import yaml

    kind, key = folder.parent.name, folder.name
    spec = yaml.safe_load((folder / paths.CONFIG).read_text())
    tags = [kind, *(str(user.cell[name]) for name in ("data", "classifier", "budget"))]
    parts = {name: user.cell["config"][name] for name in ("data", "classifier", "interpreter")}
    info = RunInfo("train", f"{kind} {key}", key, tags, {**parts, "spec": spec})

    def fill(run: Any) -> None:
        for line in (folder / paths.HISTORY).read_text().splitlines():
            run.log(json.loads(line))

    return _send({**user.cell["config"], **settings}, info, fill)


def _send(config: dict[str, Any], info: RunInfo, fill: Callable[[Any], None]) -> bool:
    """Opens a run, lets ``fill`` log into it, and closes it. One that W&B took whole is noted, so that sync skips it.

    Returns:
        Whether W&B took it whole.
    """
    run = start_run(config, info)
    if run is None:
        return False
    filled = False
    try:
        fill(run)
        filled = True
    except Exception as error:  # W&B raises many kinds; the record is complete and the log says what happened
        log.warning("W&B did not take %s (%s); the record is complete", info.name, error)
    finally:
        taken = finish_run(run) and filled
    if taken:
        note_sent(config, info.key)
    return taken


def _run_config(cell: dict[str, Any]) -> dict[str, Any]:
    """What a dashboard groups and filters by: the identifying fields, artefact hashes, and the whole configuration."""
    identity = {name: cell[name] for name in (*IDENTITY_FIELDS, "device")}
    return {**identity, "artefacts": cell["artefacts"], "config": cell["config"]}
