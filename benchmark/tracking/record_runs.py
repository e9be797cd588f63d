"""Finished cells and trainings as Weights & Biases runs, made from what is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.storage import paths
from benchmark.tracking.run_config import cell_config, training_config
from benchmark.tracking.wandb_run import RunInfo, finish_run, note_sent, start_run

# pandas and matplotlib are imported where a record is sent: a cached cell does without.
if TYPE_CHECKING:
    from benchmark.storage.records import Record
    from benchmark.tracking.sample_pictures import Sample

log = logging.getLogger("underfire")

TABLE, SHEET = "samples", "sheet"  # what a cell's run logs of its kept samples
WHOLE = "all"  # the member of curves.parquet that stands for the whole attack
CURVES = ("map_l1", "success_rate")

# Columns of the table of samples, those that a record has; the pictures stand in front of them.
NUMBERS = (
    *("sample_id", "source_id", "label", "pred_benign", "pred_probe", "goal", "success", "looks_benign"),
    *("map_l1", "map_iou", "map_spearman", "map_ssim", "linf", "l2_norm", "confidence_benign", "confidence_probe"),
    *("passes", "object_iou", "pointing_game", "energy_in_object", "box_iou", "deletion", "insertion", "reference_l1"),
)


def log_record(config: dict[str, Any], record: Record) -> bool:
    """Sends one record to W&B and returns whether it was taken. An error of W&B is logged and never raised."""
    if config["logger"]["mode"] == "disabled":
        return False
    cell = record.cell
    info = RunInfo("cell", cell["name"], cell["cell"], cell_config(record))

    def fill(run: Any) -> None:
        import wandb

        from benchmark.tracking.run_summary import run_summary
        from benchmark.tracking.sample_pictures import amplification, kept_samples, sheet

        count = config["logger"]["images"]
        if samples := kept_samples(record, count):
            page = sheet(samples, amplification(record))
            run.log({TABLE: sample_table(samples), SHEET: wandb.Image(page, caption=cell["name"])})
        log_curves(run, record)
        run.summary.update(run_summary(record))

    return send(config, info, fill)


def sample_table(samples: list[Sample]) -> Any:
    """A ``wandb.Table`` with a row for each kept sample: its pictures, its numbers, and the names of its classes where
    these are no numbers themselves."""
    import wandb

    from benchmark.tracking.sample_pictures import TITLES

    pictures = [name for name in TITLES if name in samples[0].pictures]
    numbers = [name for name in NUMBERS if name in samples[0].row]
    in_words = any(not word.isdigit() for each in samples for word in each.classes.values())
    classes = list(dict.fromkeys(name for each in samples for name in each.classes)) if in_words else []
    rows: list[Iterable[Any]] = [
        [
            *(wandb.Image(each.pictures[name]) for name in pictures),
            *(_plain(each.row[name]) for name in numbers),
            *(each.classes.get(name) for name in classes),
        ]
        for each in samples
    ]
    return wandb.Table(columns=[*pictures, *numbers, *(f"{name}_name" for name in classes)], data=rows)


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if hasattr(value, "item") else value


def log_curves(run: Any, record: Record) -> None:
    """The attack's distance and success against its passes, as ``curve/<name>`` over ``passes``."""
    if record.curves is None:
        return
    run.define_metric("passes", hidden=True)
    run.define_metric("curve/*", step_metric="passes")
    whole = record.curves[record.curves["member"] == WHOLE].sort_values("passes")
    for row in whole[["passes", *CURVES]].to_dict("records"):
        values = {f"curve/{name}": float(row[name]) for name in CURVES}
        run.log({"passes": int(row["passes"]), **{name: value for name, value in values.items() if value == value}})


def log_training(user: Record, settings: dict[str, Any], folder: Path) -> bool:
    """Sends the curves of one artefact's training to W&B from its history, and returns whether they were taken.

    Args:
        user: a record that names the artefact. settings: ``logger`` and ``paths``, instead of the record's.
        folder: the artefact's.
    """
    kind, key = folder.parent.name, folder.name
    part = next(name for name, used in user.cell["artefacts"].items() if used == key)
    interpreter = user.cell["interpreter"] if kind == "interpreter" else None
    config = training_config(user.cell["config"], part, interpreter=interpreter)

    def fill(run: Any) -> None:
        for line in (folder / paths.HISTORY).read_text().splitlines():
            run.log(json.loads(line))

    return send({**user.cell["config"], **settings}, RunInfo("train", f"{part} {key}", key, config), fill)


def send(config: dict[str, Any], info: RunInfo, fill: Callable[[Any], None]) -> bool:
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
