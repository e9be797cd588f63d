"""The history of a training: every metric that it logs, in a file of the artefact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from benchmark.engine.checkpoints import Behind
from benchmark.processes import ranks
from benchmark.storage.atomic import write_atomic

_NOTHING = Behind()


class History(Logger):
    """Everything that a training logs, a JSON line each time."""

    def __init__(self, path: Path, behind: Behind = _NOTHING) -> None:
        """Goes on after what an earlier run has behind it; what that one logged later happens again."""
        super().__init__()
        self.path = path
        self.last: dict[str, float] = {}
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [entry for line in lines if (entry := _read(line)) is not None and _is_of(behind, entry)]
        if lines and ranks.is_main_process():
            write_atomic(path, "".join(f"{json.dumps(entry)}\n" for entry in kept).encode())
        for entry in kept:
            self.last.update({name: value for name, value in entry.items() if name != "step"})

    name = property(lambda self: "history")
    version = property(lambda self: 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The configuration stands beside the weights already."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.last.update(metrics)
        if not ranks.is_main_process():
            return
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")


def _is_of(behind: Behind, entry: dict[str, Any]) -> bool:
    """Whether a line is of the epochs, or of the steps of the epoch after them, that lie behind."""
    epoch = entry.get("epoch", 0)
    return bool(epoch < behind.epochs or (epoch == behind.epochs and (entry.get("step") or 0) < behind.steps))


def _read(line: str) -> dict[str, Any] | None:
    """One line of a history; None for one that was cut off, which is of steps that happen again."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
