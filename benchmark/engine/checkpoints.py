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
    """What a checkpoint has behind it: whole epochs, and steps in all."""

    epochs: int = 0
    steps: int = 0


class Checkpoints(pl.Callback):
    """``<epochs>-<steps>-<checksum>.ckpt`` after every epoch, every so many seconds within one, and at a stop.

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

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        due = time.monotonic() - self.saved >= self.seconds
        if ranks.world_size() > 1:
            raise_if_stopped()
            due = trainer.global_step % _BATCHES == 0 and ranks.broadcast(lambda: due)
        if trainer.is_last_batch or trainer.global_step == trainer.max_steps:
            return  # the epoch's own checkpoint comes
        self.stops = ranks.world_size() == 1 and is_stopped()
        if due or self.stops:
            self._save(trainer, Behind(trainer.current_epoch, trainer.global_step))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._save(trainer, Behind(trainer.current_epoch + 1, trainer.global_step))

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
        name = f"{behind.epochs:06d}-{behind.steps:09d}-{sha256_file(partial)[:32]}.ckpt"
        os.replace(partial, self.folder / name)
        for old in _all(self.folder)[2:]:
            old.unlink()


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("*.ckpt"), reverse=True)


def behind(path: Path | None) -> Behind:
    """What a checkpoint has behind it, by its name; nothing for None."""
    if path is None:
        return Behind()
    epochs, steps, _ = path.stem.split("-")
    return Behind(int(epochs), int(steps))


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is undamaged; damaged ones are named in a warning and removed."""
    for path in _all(folder):
        if sha256_file(path).startswith(path.stem.rpartition("-")[2]):
            return path
        log.warning("%s is damaged; training goes on from the one before", path)
        path.unlink()
    return None
