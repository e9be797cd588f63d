"""Checks a whole sweep before its first job: the mistakes of all cells at once, or that every cell is done."""

from __future__ import annotations

import logging
import time

from benchmark.configuration.cells import Cell
from benchmark.configuration.sweep_expansion import Uncountable, expand
from benchmark.configuration.validation import check_values
from benchmark.planning.plan import inspect_cell
from benchmark.processes import signals
from benchmark.storage.records import is_done

log = logging.getLogger("underfire")


def _has_other_flags(overrides: list[str]) -> bool:
    """Whether a command line has flags that only Hydra knows (--cfg, --help)."""
    return any(each.startswith("-") and each not in ("-m", "--multirun") for each in overrides)


def precheck_command(conf: str, command: str, overrides: list[str]) -> None:
    """Raises a ValueError for the mistakes in a command line of any other command than ``run``."""
    if _has_other_flags(overrides):
        return
    try:
        sweep = expand(conf, command, overrides)
    except Uncountable:
        return
    for planned in sweep.cells:
        if planned.config is None:
            raise ValueError(planned.error)
        check_values(planned.config, whole=False)


def precheck_sweep(conf: str, overrides: list[str]) -> int | None:
    """The exit status of ``run`` with these overrides if it is known without launching a job, else None.

    1: some cell's configuration is wrong, and all mistakes have been logged. 0: every cell's record is done and whole.
    """
    if _has_other_flags(overrides):
        return None
    start = time.perf_counter()
    try:
        sweep = expand(conf, "run", overrides)
    except Uncountable:
        return None
    cells = []
    for planned in sweep.cells:
        signals.raise_if_stopped()
        cells.append(inspect_cell(planned)[0])
    mistakes = dict.fromkeys(cell.sentence for cell in reversed(cells) if cell.state == "wrong")
    if mistakes:
        wrong = [cell for cell in cells if cell.state == "wrong"]
        for sentence in reversed(mistakes):
            log.error("failed  %s: %s", next(cell.name for cell in wrong if cell.sentence == sentence), sentence)
        log.error("%d of %d cells cannot be run; nothing was started", len(wrong), len(cells))
        return 1
    if not sweep.multirun or any(cell.state != "done" for cell in cells):
        return None
    for planned in sweep.cells:
        config = planned.config
        assert config is not None
        if config["force"] is not None or not is_done(Cell(config).folder):
            return None
    log.info(
        "%d cells: 0 computed, %d cached, 0 failed, in %.1f s", len(cells), len(cells), time.perf_counter() - start
    )
    return 0
