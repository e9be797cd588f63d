"""``python -m benchmark report``: tables, figures and verdicts from the records."""

from __future__ import annotations

import json
import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.commands.common.output import tell_json
from benchmark.report.build import INDEX, build_report
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
        page, verdicts = path.with_name(INDEX), path.with_name("verdicts.json")
        log.info("page    %s opens in any browser", page)
        tell_json({"report": path, "page": page, "verdicts": json.loads(verdicts.read_text(encoding="utf-8"))})
        return "done"

    job(config, lambda settings: "report", work)
