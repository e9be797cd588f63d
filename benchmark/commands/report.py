"""``python -m benchmark report``: tables, figures and verdicts from the records."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.report.build import build_report
from benchmark.report.compare.reference import PUBLISHED
from benchmark.report.statistics.bootstrap import Bootstrap

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Writes the report of the records that match and prints where it is."""

    def work(resolved: dict[str, Any]) -> str:
        if not isinstance(resolved["compare"], str | None):
            raise ValueError(f"compare is {PUBLISHED}, a folder of results, or null, got {resolved['compare']!r}")
        path = build_report(
            resolved["paths"]["results"],
            resolved["paths"]["report"],
            resolved["filter"],
            Bootstrap(resolved["resamples"], resolved["bootstrap_seed"]),
            resolved["compare"],
        )
        log.info("report  %s", path)
        return "done"

    job(config, lambda settings: "report", work)
