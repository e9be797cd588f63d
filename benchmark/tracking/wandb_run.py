"""Weights & Biases runs. An error of W&B is logged and never costs a result."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.tracking.run_config import tags_of

log = logging.getLogger("underfire")


@dataclass(frozen=True)
class RunInfo:
    """What a run in W&B is called, and what it is grouped by.

    job_type: one training, one cell, or an interpreter beside RTS (``comparison``). key: its id, the hash of the
    artefact or cell. config: the keys of ``run_config.CONFIG_KEYS``.
    """

    job_type: Literal["train", "cell", "comparison"]
    name: str
    key: str
    config: dict[str, Any]


def start_run(config: dict[str, Any], info: RunInfo) -> Any:
    """An open W&B run, or None where the logger is off or W&B cannot start (which is logged, not raised)."""
    settings = config["logger"]
    if settings["mode"] == "disabled" or (by_agent() and info.job_type != "cell"):
        return None
    try:
        import wandb

        folder = Path(config["paths"]["wandb"])
        folder.mkdir(parents=True, exist_ok=True)
        # Files of tables wait here to be sent, beside the runs: the home folder may be read-only, or another machine's.
        os.environ.setdefault("WANDB_DATA_DIR", str((folder / "wandb").absolute()))
        run = wandb.init(
            project=settings["project"],
            entity=settings["entity"],
            group=settings["group"] or config.get("experiment_name") or default_group(config),
            job_type=info.job_type,
            name=info.name,
            id=info.key,
            tags=[*tags_of(info.config), *settings["tags"]],
            config=info.config,
            dir=folder,
            mode=settings["mode"],
            resume="allow" if settings["mode"] == "online" else None,
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                x_disable_stats=True,
                x_disable_meta=True,
                init_timeout=settings["patience"],
                finish_timeout=10 * settings["patience"],
                finish_timeout_raises=True,
            ),
        )
        if info.job_type == "train":
            run.define_metric("step")
            run.define_metric("*", step_metric="step")
        return run
    except Exception as error:  # W&B raises many kinds; none must cost a result
        log.warning("W&B did not start (%s); results are written all the same", error)
        return None


def by_agent() -> bool:
    """Whether a W&B agent started this process. The agent expects one run, the cell's, even from a cached cell."""
    return "WANDB_SWEEP_ID" in os.environ


def finish_run(run: Any) -> bool:
    """Closes a run, so that the next job of a sweep does not log into it, and returns whether W&B accepted that."""
    if run is None:
        return False
    try:
        run.finish()
    except Exception as error:  # W&B raises many kinds; the log says what happened
        log.warning("W&B did not close its run (%s); the record is complete", error)
        return False
    return True


def _mark(config: dict[str, Any], run_id: str) -> Path:
    return Path(config["paths"]["wandb"]) / "wandb" / "sent" / f"{config['logger']['mode']}-{run_id}"


def was_sent(config: dict[str, Any], run_id: str) -> bool:
    """Whether W&B has taken a run of this cell or training whole, in this mode."""
    return _mark(config, run_id).exists()


def note_sent(config: dict[str, Any], run_id: str) -> None:
    """Notes, beside W&B's own files, that it has taken this run whole."""
    mark = _mark(config, run_id)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        log.warning("that %s was sent could not be noted (%s): sync will send it again", run_id, error)


def default_group(config: dict[str, Any]) -> str:
    """Runs of one data set and classifier belong together where no experiment names them."""
    return f"{config['data']['name']}-{config['classifier']['label']}"
