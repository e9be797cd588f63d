"""One big run in several processes: each joins the others before any work, and then goes through the same steps."""

from __future__ import annotations

import logging
import os
from typing import Any

from benchmark.processes import ranks

log = logging.getLogger("underfire")


def asked_for(config: dict[str, Any]) -> bool:
    """Whether the configured trainer spreads one run over several processes."""
    return config["trainer"].get("strategy", "auto") == "ddp"


def join(config: dict[str, Any]) -> None:
    """Starts the other processes, unless torchrun has, and waits until all have found each other.

    Lightning's launcher starts this very command line again for each of them.

    Raises:
        ValueError: a launcher started several processes for a trainer that takes one.
    """
    if not asked_for(config):
        if int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ:
            raise ValueError(
                f"{os.environ['WORLD_SIZE']} processes were started for one run, whose trainer takes one: "
                "add trainer=ddp, or start it without torchrun"
            )
        return
    if ranks.world_size() > 1:
        return
    from benchmark.engine.trainer import make_trainer

    trainer = make_trainer(config, logger=False)
    launcher = trainer.strategy.launcher
    if launcher is not None:
        launcher.launch(lambda: None)
    trainer.strategy.setup_environment()
    if not ranks.is_main_process():
        log.setLevel(logging.WARNING)
