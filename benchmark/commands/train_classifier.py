"""``python -m benchmark train_classifier``: one classifier into the store."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.engine.distributed import join

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Trains the configured classifier, or finds it in the store, and prints its accuracy."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.pipeline.artefacts.classifier import get_classifier
        from benchmark.pipeline.artefacts.predictions import get_correct_samples
        from benchmark.pipeline.context import RunContext

        join(resolved)
        ctx = RunContext(resolved)
        population = get_correct_samples(ctx, get_classifier(ctx), resolved["split"])
        log.info(
            "classifier %s: %s accuracy %.4f",
            ctx.ledger.artefacts["classifier"],
            resolved["split"],
            population.accuracy,
        )
        return "done" if "classifier" in ctx.ledger.made else "cached"

    job(config, lambda settings: settings["classifier"]["label"], work)
