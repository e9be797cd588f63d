"""Configurations compared: what two cells were set to, and in what they differ."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_SECTIONS_THAT_COUNT = ("data", "classifier", "interpreter", "probe", "measure", "budget")
_SEED = re.compile(r"(.*\.)?seed")
# What holds where a record says nothing, since it is older than the key: said or not, it is the same setting.
_UNSAID = {
    **{"trainer.precision": "32-true", "probe.goal_classes": "all", "probe.module.goal_classes": "all"},
    "data.balanced": False,
}
_OPTIMIZER = re.compile(r"(.*\.)?training\.(start\.)?module\.optimizer")  # the same of any classifier: adamw
_STAGE = re.compile(r"(.*\.)?stages\.(\w+)\.steps")
PLACES = ("data.root", "data.cache")  # where something lies on one machine, which no result depends on


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": [1]}} -> {"a.b.0": 1}."""
    if not isinstance(config, dict | list) or not config:
        return {prefix: config}
    leaves: dict[str, Any] = {}
    for key, value in config.items() if isinstance(config, dict) else enumerate(config):
        leaves.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
    return leaves


def differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Settings in which the given flat configurations differ. Of settings that vary together (one interpolates the
    other) the one nearest the top of its group stands for all, and a budget's entry never stands for what it
    feeds."""
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in sorted({path for leaves in settings for path in leaves}):
        values = tuple(as_text(leaves.get(path)) for leaves in settings)
        if len(set(values)) > 1:
            together[values].append(path)
    return sorted(
        min(p, key=lambda path: (path.startswith("budget."), path.count("."), path)) for p in together.values()
    )


def as_text(value: Any) -> str:
    """A value as something that can be compared and sorted."""
    return json.dumps(value, sort_keys=True, default=str)


def settings_of(record: Record) -> dict[str, Any]:
    """What was configured, flat, without paths, loggers, devices and the folder of the data.

    Left out is also what sets nothing: a stage of no steps, and a key at the value that holds without it. So records
    from before a key was there are compared with those after it.
    """
    config = record.cell.get("config") or {}
    found = flat({name: config[name] for name in _SECTIONS_THAT_COUNT if config.get(name)}) if config else {}
    if precision := (config.get("trainer") or {}).get("precision"):
        found["trainer.precision"] = precision
    left_out = {*PLACES, *(path for path, value in _UNSAID.items() if found.get(path) == value)}
    left_out |= {path for path, value in found.items() if value == "adamw" and _OPTIMIZER.fullmatch(path)}
    stages = tuple(_stages_of_no_steps(found))
    return {path: value for path, value in found.items() if path not in left_out and not path.startswith(stages)}


def _stages_of_no_steps(settings: Mapping[str, Any]) -> Iterator[str]:
    """How the paths begin that belong to a stage of a training which is not trained."""
    for path, value in settings.items():
        if value == 0 and (named := _STAGE.fullmatch(path)):
            yield f"{path.removesuffix('steps')}"
            yield f"{named[1] or ''}{named[2]}_steps"


def without_seeds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings but the seeds in them: what trainings of one setting have in common."""
    return {path: value for path, value in settings.items() if not _SEED.fullmatch(path)}
