"""A finished cell as a Weights & Biases run: a view of the record, made after it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.storage.records import Record
from benchmark.tracking.wandb_run import finish_run, note_sent, start_run

log = logging.getLogger("underfire")

# Stable names of the summary: <column>/mean over all samples, and the rates.
_MEANS = (
    "map_l1",
    "map_l2",
    "map_iou",
    "map_topq_iou",
    "map_ssim",
    "map_spearman",
    "map_shift",
    "linf",
    "l2_norm",
    "object_iou",
    "deletion",
    "insertion",
    "reference_l1",
    "confidence_benign",
    "confidence_probe",
)


def summary_of(record: Record) -> dict[str, float]:
    """The summary metrics of a record under their stable names."""
    samples = record.samples
    summary = {
        f"{name}/mean": float(samples[name].mean())
        for name in _MEANS
        if name in samples and samples[name].notna().any()
    }
    for name in ("success", "looks_benign"):
        if name in samples:
            summary[f"{name}_rate"] = float(samples[name].mean())
    facts = {f"fact/{name}": value for name, value in record.cell["facts"].items() if isinstance(value, int | float)}
    return {**summary, **facts, "n_samples": record.cell["n_samples"], "seconds": sum(record.cell["seconds"].values())}


def panel(record: Record, count: int) -> np.ndarray | None:
    """Rows of input, probed input and their maps for the first ``count`` kept samples, uint8 (rows, columns, 3)."""
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
                place = np.arange(size) * values.shape[0] // size
                tiles.append(np.repeat(values[place][:, place][..., None], 3, axis=2))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows, axis=0)


def log_record(config: dict[str, Any], record: Record) -> bool:
    """Sends one record to W&B, and tells whether it was taken; whatever goes wrong there costs nothing."""
    if config["logger"]["mode"] == "disabled":
        return False
    cell = record.cell
    tags = [str(cell[name]) for name in ("data", "classifier", "interpreter", "probe", "budget")]
    job = {"job_type": "cell", "name": cell["name"], "id": cell["cell"], "tags": tags, "config": _flat(cell)}

    def fill(run: Any) -> None:
        import wandb

        picture = panel(record, config["logger"]["images"])
        if picture is not None:
            caption = "input, probed input, benign map, probed map"
            run.log({"samples": wandb.Image(picture, caption=caption)})
        run.summary.update(summary_of(record))

    return _sent(config, job, fill)


def log_training(user: Record, own: dict[str, Any], folder: Path) -> bool:
    """Sends the curves of one artefact's training to W&B from its history, and tells whether they were taken.

    Args:
        user: a record that names the artefact. own: the settings of ``logger`` and ``paths`` to go by.
    """
    import yaml

    kind, key = folder.parent.name, folder.name
    spec = yaml.safe_load((folder / "config.yaml").read_text())
    tags = [kind, *(str(user.cell[name]) for name in ("data", "classifier", "budget"))]
    parts = {name: user.cell["config"][name] for name in ("data", "classifier", "interpreter")}
    job = {"job_type": "train", "name": f"{kind} {key}", "id": key, "tags": tags, "config": {**parts, "spec": spec}}

    def fill(run: Any) -> None:
        for line in (folder / "history.jsonl").read_text().splitlines():
            run.log(json.loads(line))

    return _sent({**user.cell["config"], **own}, job, fill)


def _sent(config: dict[str, Any], job: dict[str, Any], fill: Callable[[Any], None]) -> bool:
    """Whether W&B has taken a run to its end; then it is remembered, so that sync does not make it again."""
    run = start_run(config, job)
    if run is None:
        return False
    taken = False
    try:
        fill(run)
        taken = True
    except Exception as error:  # W&B raises many kinds; what is kept is complete and the user is told
        log.warning("W&B did not take %s (%s); the record is complete", job["name"], error)
    finally:
        taken = finish_run(run) and taken
    if taken:
        note_sent(config, job["id"])
    return taken


def _flat(cell: dict[str, Any]) -> dict[str, Any]:
    """What a dashboard groups and filters by: the identifying fields, artefact hashes, and the whole configuration."""
    names = ("data", "classifier", "interpreter", "probe", "level", "steps_factor", "seed", "split", "budget", "device")
    return {**{name: cell[name] for name in names}, "artefacts": cell["artefacts"], "config": cell["config"]}
