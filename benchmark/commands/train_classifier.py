"""``python -m benchmark train_classifier``: one classifier into the store."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.engine.distributed import join

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Trains the configured classifier, or finds it in the store, and tells its accuracy."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.pipeline.artefacts.classifier import get_classifier
        from benchmark.pipeline.artefacts.predictions import get_population
        from benchmark.pipeline.context import RunContext

        join(resolved)
        place = RunContext(resolved)
        population = get_population(place, get_classifier(place), resolved["split"])
        log.info(
            "classifier %s: %s accuracy %.4f", place.artefacts["classifier"], resolved["split"], population.accuracy
        )
        return "done" if "classifier" in place.made else "cached"

    job(config, lambda settings: settings["classifier"]["label"], work)
