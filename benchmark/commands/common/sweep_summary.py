"""What came of a command's cells: a file for each job, and one line at the end of a sweep."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write
from rich.console import Console
from rich.progress_bar import ProgressBar

from benchmark.processes import ranks
from benchmark.storage.atomic import write_atomic
from benchmark.storage.leases import Lease, first_free
from benchmark.storage.paths import lease_in_folder

log = logging.getLogger("underfire")

# Outcomes for which a command's exit status is not 0.
UNFINISHED = ("failed", "stopped")

# The file in a job's folder that says what came of it.
NOTE = "underfire-outcome.json"

# Failed and stopped jobs of this process and of the sweeps that it has launched.
_failures: list[str] = []

# Of each sentence that this process has logged on a failure, the first job that it was about.
_sentences: dict[str, str] = {}


@dataclass
class _Sweep:
    """The sweep that this process has launched and not yet summed up."""

    folder: Path
    total: int  # cells; 0 where a sweeper searches
    start: float
    lease: Lease | None


# Not a part of the callback, which is sent to workers.
_open: list[_Sweep] = []


def note_sentence(name: str, sentence: str) -> str:
    """The first job of this process that failed with this sentence: ``name`` where it is the first."""
    return _sentences.setdefault(sentence, name)


def note_outcome(name: str, status: str, sentence: str = "") -> None:
    """Leaves what came of this job (done | cached | left | stopped | failed) where the sweep's end finds it."""
    if status in UNFINISHED:
        _failures.append(name)
    if not ranks.is_main_process():
        return
    folder = Path(HydraConfig.get().runtime.output_dir)
    content = json.dumps({"name": name, "status": status, "sentence": sentence})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / NOTE, content.encode())
    except OSError as error:
        log.warning("what came of %s is not noted in %s: %s", name, folder, error.strerror)


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """What came of the jobs of a run or sweep folder."""
    return [json.loads(path.read_text()) for path in _notes(folder)]


def _notes(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"**/{NOTE}"))


class SweepSummary(Callback):
    """Hydra callback: removes the outcomes of an earlier sweep, and logs the total at the end.

    Every sweep that runs has a folder of its own, so that two at once count each their own cells.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _must_be_writable(Path(config.hydra.run.dir), "hydra.run.dir")
        _forget(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.total, self.finished, self.process = cells_of(config), 0, os.getpid()
        if not ranks.is_main_process():
            return
        usual, lease = Path(config.hydra.sweep.dir), None
        _must_be_writable(usual, "hydra.sweep.dir")
        folder = usual
        try:
            folder, lease = _own_folder(usual)
        except OSError as error:
            log.warning("the notes on this sweep are not kept apart from another one's: %s", error)
        if folder != usual:
            log.info("another sweep runs in %s: the notes on this one are in %s", usual, folder)
            _move(config, folder)
        _open.append(_Sweep(folder, self.total, time.perf_counter(), lease))
        _forget(folder)

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        total = getattr(self, "total", None)
        if total:
            here = os.getpid() == self.process
            self.finished = self.finished + 1 if here else len(outcomes(Path(config.hydra.sweep.dir)))
            _show_progress(self.finished, total)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        sum_up()


def _show_progress(finished: int, total: int) -> None:
    """A bar on a terminal, a plain line in a log."""
    terminal = Console(stderr=True)
    if terminal.is_terminal:
        terminal.print(ProgressBar(total, finished, width=40), f" {finished} of {total} cells", sep="", end="\n")
    else:
        log.info("%d of %d cells", finished, total)


def sum_up() -> None:
    """Logs what came of the cells of the sweep that this process launched, once.

    Cells that left no word (their process was killed, or never started) count as failed.
    """
    while _open:
        sweep = _open.pop()
        found = outcomes(sweep.folder)
        if sweep.lease is not None:
            sweep.lease.release()
        count = Counter(outcome["status"] for outcome in found)
        lost = max(sweep.total - len(found), 0)
        extra = {"stopped": count["stopped"], "left": count["left"], "without an outcome": lost}
        log.info(
            "%d cells: %d computed, %d cached, %d failed%s, in %.1f s",
            max(sweep.total, len(found)),
            count["done"],
            count["cached"],
            count["failed"],
            "".join(f", {number} {what}" for what, number in extra.items() if number),
            time.perf_counter() - sweep.start,
        )
        unfinished = [outcome for outcome in found if outcome["status"] in UNFINISHED]
        _failures.extend(outcome["name"] for outcome in unfinished)
        if sweep.total != 1:
            _log_unfinished(unfinished)
        if lost:
            _failures.append(f"{lost} cells")
            log.info("%d cells have not come to an end here: the same command goes on with them", lost)


def _log_unfinished(outcomes: list[dict[str, Any]]) -> None:
    """Each sentence once, with the number of its cells; not again where this process has logged it."""
    named: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        named.setdefault((outcome["status"], outcome["sentence"]), []).append(outcome["name"])
    for (status, sentence), names in named.items():
        where = names[0] if len(names) == 1 else f"{len(names)} cells, the first: {names[0]}"
        log.info("%-7s %s: %s", status, where, "see above" if sentence in _sentences else sentence)


def cells_of(config: DictConfig) -> int:
    """How many jobs a sweep has: the product of its choices, typed or of the experiment; 0 where a sweeper searches."""
    if not str(config.hydra.sweeper._target_).endswith("BasicSweeper"):
        return 0
    overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    named = {override.get_key_element() for override in overrides}
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items() if key not in named]
    overrides += OverridesParser.create().parse_overrides(params)
    return math.prod(len(list(each.sweep_iterator())) for each in overrides if each.is_sweep_override())


def _must_be_writable(folder: Path, key: str) -> None:
    """Ends the process with a sentence if nothing can be written into a folder of Hydra's."""
    if not ranks.is_main_process():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        log.error(
            "%s %s cannot be written to (%s); nothing was started: name a folder you may write to "
            "(paths.root=FOLDER for everything, paths.outputs=FOLDER for this)",
            *(key, folder, error.strerror or error),
        )
        raise SystemExit(1) from None


def _own_folder(usual: Path) -> tuple[Path, Lease]:
    """The first of FOLDER, FOLDER-2, FOLDER-3 ... that no running sweep writes to, and the lease on it."""
    folders = (usual if number == 1 else usual.with_name(f"{usual.name}-{number}") for number in itertools.count(1))
    free = first_free((folder, Lease(lease_in_folder(folder), f"the sweep in {folder}")) for folder in folders)
    assert free is not None  # the candidates never end
    return free


def _move(config: DictConfig, folder: Path) -> None:
    """Sets the sweep's folder, here and in the configuration of every job, which Hydra composes anew."""
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    with read_write(config):
        config.hydra.sweep.dir = str(folder)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def _forget(folder: Path) -> None:
    """Removes the outcomes of earlier jobs and nothing else: the folder may hold other files (hydra.run.dir=.)."""
    if ranks.is_main_process():
        for path in _notes(folder):
            path.unlink(missing_ok=True)


def any_failed() -> bool:
    """Whether a job of this process, or of a sweep that it launched, failed or was stopped."""
    return bool(_failures)
