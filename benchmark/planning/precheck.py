"""Checks a whole sweep before its first job: the mistakes of all cells at once, or that every cell is done."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.configuration.cells import Cell
from benchmark.configuration.sweep_expansion import Planned, Uncountable, expand
from benchmark.configuration.validation import check_values
from benchmark.planning.plan import CellStatus, inspect_cell
from benchmark.processes import signals
from benchmark.storage.records import is_done, most_are_portable

log = logging.getLogger("underfire")


@dataclass(frozen=True)
class Precheck:
    """What is known of a sweep.

    Attributes:
        status: its exit status, if that is known without launching a job. left: cells to compute.
        portable: whether a cell asks for portable arithmetic.
    """

    status: int | None
    left: list[Planned] = field(default_factory=list)
    portable: bool = False


def precheck_sweep(conf: str, overrides: list[str], *, multirun: bool, config_dir: str | None = None) -> Precheck:
    """Checks every cell of ``run`` with these overrides.

    Status 1: some cell's configuration is wrong, and all mistakes have been logged. 0: every cell's record is done and
    whole.
    """
    start = time.perf_counter()
    try:
        sweep = expand(conf, "run", overrides, multirun=multirun, config_dir=config_dir)
    except Uncountable:
        return Precheck(None)
    cells = []
    for planned in sweep.cells:
        signals.raise_if_stopped()
        cells.append(inspect_cell(planned)[0])
    if any(cell.state == "wrong" for cell in cells):
        log_mistakes(cells)
        return Precheck(1)
    portable = any(_portable(planned) for planned in sweep.cells)
    if not sweep.multirun:
        return Precheck(None, portable=portable)
    left = [planned for planned, cell in zip(sweep.cells, cells, strict=True) if _is_left(planned, cell)]
    if left:
        return Precheck(None, left, portable)
    if any(cell.state != "done" for cell in cells):
        return Precheck(None, portable=portable)  # retry=failed and none has failed: each says that it is left
    log.info(
        "%d cells: 0 computed, %d cached, 0 failed, in %.1f s", len(cells), len(cells), time.perf_counter() - start
    )
    return Precheck(0)


def precheck_command(
    conf: str, command: str, overrides: list[str], config_dir: str | None = None, *, multirun: bool = False
) -> bool:
    """Whether any other command than ``run`` asks for portable arithmetic: by its settings, or as ``verify`` by those
    that most of its records were made with.

    Raises:
        ValueError: a mistake in its command line.
    """
    try:
        sweep = expand(conf, command, overrides, multirun=multirun, config_dir=config_dir)
    except Uncountable:
        return False
    configs = []
    for planned in sweep.cells:
        if planned.config is None:
            raise ValueError(planned.error)
        check_values(planned.config, whole=False)
        configs.append(planned.config)
    if command == "verify":
        return any(most_are_portable(Path(config["paths"]["results"])) for config in configs)
    return any(map(_portable, sweep.cells))


def log_mistakes(cells: list[CellStatus]) -> None:
    """Each mistake once, with the first of its cells, in the order of the cells."""
    wrong = [cell for cell in cells if cell.state == "wrong"]
    first: dict[str, str] = {}
    for cell in wrong:
        first.setdefault(cell.sentence, cell.name)
    for sentence, name in first.items():
        log.error("failed  %s: %s", name, sentence)
    log.error("%d of %d cells cannot be run; nothing was started", len(wrong), len(cells))


def _portable(planned: Planned) -> bool:
    return planned.config is not None and bool((planned.config.get("trainer") or {}).get("portable"))


def _is_left(planned: Planned, cell: CellStatus) -> bool:
    """Whether the cell would be computed."""
    assert planned.config is not None
    if planned.config["force"] is not None:
        return True
    if cell.state == "done":
        return not is_done(Cell(planned.config).folder)
    return planned.config["retry"] != "failed" or cell.state == "failed"
