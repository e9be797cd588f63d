"""``python -m benchmark doctor``: what this installation has, and what would keep ``run`` from working."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.commands.common.output import json_is_wanted, tell_json

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Prints facts by heading, and a warning for each thing that is not as it should be."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.commands.common.examination import Examination  # imports torch

        found = Examination(resolved)
        tell_json({"facts": found.facts, "warnings": found.warnings, "faults": found.faults})
        if not json_is_wanted():
            width = max(len(name) for facts in found.facts.values() for name in facts)
            for heading, facts in found.facts.items():
                print(heading)
                for name, value in facts.items():
                    print(f"  {name:<{width}}  {value}")
        for warning in found.warnings:
            log.warning("warning  %s", warning)
        if found.faults:
            raise ValueError("; also: ".join(found.faults))
        if not json_is_wanted():
            print("nothing is in the way of a run" if not found.warnings else "nothing else is in the way of a run")
        return "done"

    job(config, lambda settings: "doctor", work)
