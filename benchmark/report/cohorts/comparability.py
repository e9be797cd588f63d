"""What makes a comparison of two cells fair: the same probe, and interpreters trained on equal budgets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.settings import differing, flat

if TYPE_CHECKING:
    from benchmark.storage.records import Record

# The interpreter's settings that are its training budget; the steps of an attack inside the training are not.
_BUDGET = re.compile(r"seed|own_trunk|stages\.\w+\.(steps|batch_size|module\.(lr|weight_decay|p_fake|seed))")


def _section(record: Record, name: str) -> dict[str, Any]:
    return flat((record.cell.get("config") or {}).get(name) or {})


def probe_differences(value: Record, reference: Record) -> dict[str, tuple[Any, Any]]:
    """Probe settings in which two cells differ, {setting: (interpreter's, reference's)}."""
    left, right = _section(value, "probe"), _section(reference, "probe")
    return {name: (left.get(name), right.get(name)) for name in differing([left, right])}


def same_task(differences: dict[str, tuple[Any, Any]]) -> bool:
    """Whether two probes were the same: radius, steps, draws. The map's weight c may differ, for it is chosen per
    interpreter."""
    leaves = [name.split(".")[-1] for name in differences]
    return not any(leaf.startswith(("epsilon", "step", "warmup", "random_start", "seed", "kind")) for leaf in leaves)


def training_differences(value: Record, reference: Record) -> list[str]:
    """'stages.finish.steps 375 against 300' for each way in which two interpreters were not trained on equal budgets
    from one start: steps, batch sizes, learning rates and seeds of their stages, and whether they train a trunk."""
    stages = [
        {path: x for path, x in _section(record, "interpreter").items() if _BUDGET.fullmatch(path)}
        for record in (value, reference)
    ]
    return [f"{path} {stages[0].get(path)} against {stages[1].get(path)}" for path in differing(stages)]
