"""Puts the parts of a sweep's cells together, untrained: what does not fit is told before anything is trained.

Cells that differ in seeds alone are one combination. Of those that share data set and networks, these are built once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from benchmark.configuration.cells import Cell
from benchmark.configuration.specs import Config
from benchmark.configuration.sweep_expansion import Planned
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.preflight import check_before_training, check_settings
from benchmark.planning.plan import CellStatus
from benchmark.storage.hashing import content_hash

log = logging.getLogger("underfire")

# Combinations of data set and networks that are built, and seconds after which no further one is begun.
MOST = 100
SECONDS = 120.0


@dataclass(frozen=True)
class DeepCheck:
    """What came of it: the cells, "wrong" with a sentence where parts do not fit, and a note on those not checked."""

    cells: list[CellStatus]
    note: str = ""


def deep_check(cells: Iterable[Planned], *, every_error: bool = False) -> DeepCheck:
    """Checks every combination of data set, classifier, interpreter and probe of the cells, on the CPU.

    Args:
        every_error: also errors that no part has foreseen are mistakes; a job tells them with their traceback.
    """
    start, known, built, skipped = time.perf_counter(), _Known(every_error), 0, 0
    found = []
    for planned in _data_by_data(cells):
        assert planned.config is not None
        config = _on_cpu(planned.config)
        sentence = known(("settings", _settings_of(config)), lambda: _check_settings(config))  # noqa: B023
        networks = ("networks", _networks_of(config))
        if sentence is None and networks not in known:
            if built >= MOST or time.perf_counter() - start > SECONDS:
                skipped += 1
                found.append(_status(planned, None))
                continue
            built += 1
        if sentence is None:
            sentence = known(networks, lambda: check_before_training(RunContext(config)))  # noqa: B023
        found.append(_status(planned, sentence))
    note = ""
    if skipped:
        note = (
            f"{built} combinations of data set, classifier and interpreter were put together (at most {MOST}, in "
            f"{SECONDS:.0f} s); those of {skipped} further cells are checked when each begins"
        )
    return DeepCheck(found, note)


class _Known:
    """The outcome of each check by its key: None, or what is wrong."""

    def __init__(self, every_error: bool) -> None:
        self.every_error = every_error
        self.outcomes: dict[str, str | None] = {}

    def __contains__(self, key: tuple[str, Any]) -> bool:
        return _hash(key) in self.outcomes

    def __call__(self, key: tuple[str, Any], check: Callable[[], None]) -> str | None:
        name = _hash(key)
        if name not in self.outcomes:
            self.outcomes[name] = self._outcome(check)
        return self.outcomes[name]

    def _outcome(self, check: Callable[[], None]) -> str | None:
        try:
            with torch.random.fork_rng(devices=[]):
                check()
        except (ValueError, OSError, ArithmeticError) as error:
            return str(error)
        except Exception as error:
            if self.every_error:
                return f"{type(error).__name__}: {error}".splitlines()[0]
            log.debug("left to the job: %s", error)
        return None


def _hash(key: tuple[str, Any]) -> str:
    return content_hash(dict([key]))


def _check_settings(config: Config) -> None:
    ctx = RunContext(config)
    check_settings(ctx, load_data(config))


def _on_cpu(config: Config) -> Config:
    """The same without a device: the process that launches a sweep may have none, and takes none from its jobs."""
    return {**config, "trainer": {**config["trainer"], "accelerator": "cpu", "threads": None}}


def _data_by_data(cells: Iterable[Planned]) -> list[Planned]:
    """The cells with those of one data set beside each other: one data set is held at a time."""
    order: dict[str, list[Planned]] = {}
    for planned in cells:
        if planned.config is not None:
            order.setdefault(content_hash(planned.config["data"]), []).append(planned)
    return [planned for own in order.values() for planned in own]


def _settings_of(config: Config) -> Any:
    probe = {name: config["probe"][name] for name in ("module", "level")}
    return _without_seeds([config["data"], config["split"], config["measure"], probe])


def _networks_of(config: Config) -> Any:
    """What decides on the networks that are built, see preflight.py."""
    probe = {name: config["probe"].get(name) for name in ("source", "surrogate", "needs_map")}
    return _without_seeds([config["data"], config["classifier"], config["interpreter"], config["modules"], probe])


def _without_seeds(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_seeds(value) for name, value in node.items() if name != "seed"}
    return [_without_seeds(each) for each in node] if isinstance(node, list | tuple) else node


def _status(planned: Planned, sentence: str | None) -> CellStatus:
    assert planned.config is not None
    name = Cell(planned.config).name
    return CellStatus(name, planned.overrides, "missing" if sentence is None else "wrong", sentence or "")
