"""Where a training's metrics go: a history file in the artefact, and a live W&B run beside it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from benchmark.processes import ranks
from benchmark.storage.atomic import write_atomic
from benchmark.tracking.wandb_run import finish_run, note_sent, start_run

log = logging.getLogger("underfire")


class History(Logger):
    """Everything that a training logs, a JSON line each time."""

    def __init__(self, path: Path, epochs: int = 0) -> None:
        """Goes on after so many epochs of an earlier run; what that one logged later happens again."""
        super().__init__()
        self.path = path
        self.last: dict[str, float] = {}
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [told for line in lines if (told := _read(line)) is not None and told.get("epoch", 0) < epochs]
        if lines and ranks.is_main_process():
            write_atomic(path, "".join(f"{json.dumps(told)}\n" for told in kept).encode())
        for told in kept:
            self.last.update({name: value for name, value in told.items() if name != "step"})

    name = property(lambda self: "history")
    version = property(lambda self: 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The configuration stands beside the weights already."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.last.update(metrics)
        if not ranks.is_main_process():
            return
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")


def _read(line: str) -> dict[str, Any] | None:
    """One line of a history; None for one that was cut off, which is of an epoch that happens again."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


class LiveRun(Logger):
    """Lightning's metrics into an open W&B run; the first failure is told once and ends the sending."""

    def __init__(self, run: Any) -> None:
        super().__init__()
        self.run, self.broken = run, False

    name = property(lambda self: "wandb")
    version = property(lambda self: 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The configuration was sent when the run began."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.broken:
            return
        try:
            self.run.log({**metrics, "step": step})
        except Exception as error:  # W&B raises many kinds; whatever it is, the training goes on and the user is told
            self.broken = True
            log.warning("W&B stopped taking metrics (%s); the training goes on, history.jsonl has them all", error)


@contextmanager
def live_run(config: dict[str, Any], job: dict[str, Any], *, whole: bool = True) -> Iterator[list[Logger]]:
    """Lightning loggers for one training: W&B's, or none.

    ``whole``: it starts at its beginning; the run of one that goes on lacks what was before, and sync sends it whole.
    """
    run = start_run(config, job) if ranks.is_main_process() else None
    live = None if run is None else LiveRun(run)
    ended = False
    try:
        yield [] if live is None else [live]
        ended = live is not None and not live.broken
    finally:
        if finish_run(run) and whole and ended:
            note_sent(config, job["id"])
