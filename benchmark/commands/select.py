"""``python -m benchmark select``: the choice of settings, from calibration records alone."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.report.selection.aid_study import build_study
from benchmark.report.selection.attack_selection import build_attack_selection

EXPERIMENTS = {"aid_study": ["aid_study", "aid_study_robust"], "attack": ["attack_selection"]}

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Writes the table of candidates with the choice marked, and prints where it is."""

    def work(resolved: dict[str, Any]) -> str:
        results, report = resolved["paths"]["results"], resolved["paths"]["report"]
        filters: dict[str, Any] = {"experiment": EXPERIMENTS.get(resolved["choose"])}
        filters |= {name: value for name, value in resolved["filter"].items() if value is not None}
        if resolved["choose"] == "aid_study":
            path = build_study(results, report, resolved["keys"], filters)
        elif resolved["choose"] == "attack":
            path = build_attack_selection(results, report, filters)
        else:
            raise ValueError(f"choose is aid_study or attack, got {resolved['choose']!r}")
        log.info("selection  %s", path)
        return "done"

    job(config, lambda settings: "select", work)
