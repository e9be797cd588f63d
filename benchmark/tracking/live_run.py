"""The metrics of a training in an open Weights & Biases run, while it goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.loggers import Logger

from benchmark.processes import ranks
from benchmark.tracking.wandb_run import RunInfo, finish_run, note_sent, start_run

log = logging.getLogger("underfire")


class LiveRun(Logger):
    """Lightning's metrics into an open W&B run; the first failure is logged and ends the sending."""

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
        except Exception as error:  # W&B raises many kinds; whatever it is, the training goes on and the log says so
            self.broken = True
            log.warning("W&B stopped taking metrics (%s); the training goes on, history.jsonl has them all", error)


@contextmanager
def live_run(config: dict[str, Any], info: RunInfo, *, whole: bool = True) -> Iterator[list[Logger]]:
    """Lightning loggers for one training: W&B's, or none.

    Args:
        whole: the training starts at its first epoch. The run of a resumed one lacks the epochs before, so it is not
            noted as sent, and ``sync`` sends the whole history later.
    """
    run = start_run(config, info) if ranks.is_main_process() else None
    live = None if run is None else LiveRun(run)
    ended = False
    try:
        yield [] if live is None else [live]
        ended = live is not None and not live.broken
    finally:
        if finish_run(run) and whole and ended:
            note_sent(config, info.key)
