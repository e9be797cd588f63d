"""``python -m benchmark select``: the choice of settings, from calibration records alone."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.commands.common.output import tell_json
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
        tell_json({"selection": path, "candidates": _candidates(path.with_suffix(".csv"))})
        return "done"

    job(config, lambda settings: "select", work)


def _candidates(table: Path) -> list[dict[str, Any]]:
    """The rows of the table; ``chosen`` says whether it is the rule's choice."""
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    names = [name if name.strip() else "number" for name in header[:-1]]
    return [
        {**{name: _number(entry) for name, entry in zip(names, row, strict=False)}, "chosen": row[-1] == "chosen"}
        for row in rows
    ]


def _number(entry: str) -> float | str | None:
    try:
        return float(entry)
    except ValueError:
        return entry or None
