"""``python -m benchmark train_interpreter``: one interpreter, and the classifier it explains, into the store."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.engine.distributed import join

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Trains the configured interpreter stage by stage, or finds it in the store."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.pipeline.artefacts.classifier import get_classifier
        from benchmark.pipeline.artefacts.interpreter import get_interpreter
        from benchmark.pipeline.context import RunContext

        join(resolved)
        ctx = RunContext(resolved)
        get_interpreter(ctx, get_classifier(ctx))
        for name, key in ctx.ledger.artefacts.items():
            log.info("%s %s", name, key)
        return "done" if ctx.ledger.made else "cached"

    job(config, lambda settings: settings["interpreter"]["name"], work)
