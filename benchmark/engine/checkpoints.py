"""Checkpoints of a training: whole or not there, and known by their checksum."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl

from benchmark.processes import ranks
from benchmark.processes.signals import is_stopped, raise_if_stopped
from benchmark.storage.hashing import sha256_file
from benchmark.storage.paths import PARTIAL

log = logging.getLogger("underfire")

# Between two questions of a distributed run whether it is time for a checkpoint, which all processes have to ask.
_BATCHES = 20


class Behind(NamedTuple):
    """What a checkpoint has behind it: whole epochs, batches of the one after them, and steps in all."""

    epochs: int = 0
    batches: int = 0
    steps: int = 0


class Checkpoints(pl.Callback):
    """``<epochs>-<batches>-<steps>-<checksum>.ckpt`` after every epoch, every so many seconds in one, and at a stop.

    The two newest stay, so that a damaged one has a predecessor. A signal ends the training after the batch in which it
    came. In a distributed run a stop keeps no checkpoint of its own: the processes see it at different batches.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.saved = time.monotonic()
        self.stops = False

    def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
        if self.stops:  # here and not at the end of the batch before, whose metrics are logged in between
            raise_if_stopped()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        due = time.monotonic() - self.saved >= self.seconds
        if ranks.world_size() > 1:
            raise_if_stopped()
            due = trainer.global_step % _BATCHES == 0 and ranks.broadcast(lambda: due)
        self.stops = ranks.world_size() == 1 and is_stopped()
        if not trainer.is_last_batch and (due or self.stops):
            batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
            self._save(trainer, Behind(trainer.current_epoch, batches, trainer.global_step))
        elif trainer.is_last_batch and _counts_steps(trainer):
            self._save(trainer, Behind(trainer.current_epoch + 1, 0, trainer.global_step))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not _counts_steps(trainer):
            self._save(trainer, Behind(trainer.current_epoch + 1, 0, trainer.global_step))

    def _save(self, trainer: pl.Trainer, behind: Behind) -> None:
        partial = self.folder / f"{ranks.rank()}{PARTIAL}"
        if trainer.is_global_zero:
            self.folder.mkdir(exist_ok=True)
        trainer.save_checkpoint(partial)  # all processes of a distributed run take part, the first writes
        self.saved = time.monotonic()
        if not trainer.is_global_zero:
            return
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        name = f"{behind.epochs:06d}-{behind.batches:08d}-{behind.steps:09d}-{sha256_file(partial)[:32]}.ckpt"
        os.replace(partial, self.folder / name)
        for old in _all(self.folder)[2:]:
            old.unlink()


def _counts_steps(trainer: pl.Trainer) -> bool:
    """Whether the length is given in steps: Lightning then takes what is saved at an epoch's end for its middle."""
    return trainer.max_steps != -1


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("*.ckpt"), reverse=True)


def behind(path: Path | None) -> Behind:
    """What a checkpoint has behind it, by its name; nothing for None."""
    if path is None:
        return Behind()
    return Behind(*map(int, path.stem.split("-")[:3]))


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is undamaged; damaged ones are named in a warning and removed."""
    for path in _all(folder):
        if sha256_file(path).startswith(path.stem.rpartition("-")[2]):
            return path
        log.warning("%s is damaged; training goes on from the one before", path)
        path.unlink()
    return None
