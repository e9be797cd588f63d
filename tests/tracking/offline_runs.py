"""Offline runs of W&B read back from their transaction logs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class OfflineRun:
    """What a run holds. history: keys of its steps. files: keys of media and tables. axes: metric to step metric."""

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    axes: dict[str, str] = field(default_factory=dict)


def offline_run(wandb: Path, run_id: str) -> OfflineRun:
    """The newest offline run of an id in W&B's folder."""
    file = max(wandb.glob(f"offline-run-*/run-{run_id}.wandb"))
    inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    shown = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout
    run = OfflineRun(file.parent)
    for record in map(json.loads, shown.splitlines()):
        match record["type"]:
            case "run":
                run.config |= record["run"]["config"]["update"]
            case "config":
                run.config |= record["config"]["update"]
            case "summary":
                run.summary |= record["summary"]["update"]
            case "history":
                run.history |= set(record["history"]["item"])
            case "metric" if "step_metric" in record["metric"]:
                metric = record["metric"]
                run.axes[metric.get("glob_name") or metric["name"]] = metric["step_metric"]
    run.files = {key.removesuffix("._type") for key in run.summary if key.endswith("._type")}
    run.history |= run.files
    return run
