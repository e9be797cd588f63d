"""Checkpoints of a training: whole or not there, and known by their checksum."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytorch_lightning as pl

from benchmark.processes import ranks
from benchmark.storage.hashing import sha256_file
from benchmark.storage.paths import PARTIAL

log = logging.getLogger("underfire")


class Checkpoints(pl.Callback):
    """After every epoch ``<epoch>-<checksum>.ckpt``; the two newest stay, so that a damaged one has a predecessor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        partial = self.folder / f"{ranks.rank()}{PARTIAL}"
        if trainer.is_global_zero:
            self.folder.mkdir(exist_ok=True)
        trainer.save_checkpoint(partial)  # all processes of a distributed run take part, the first writes
        if not trainer.is_global_zero:
            return
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, self.folder / f"{trainer.current_epoch:06d}-{sha256_file(partial)[:32]}.ckpt")
        for old in _all(self.folder)[2:]:
            old.unlink()


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("*.ckpt"), reverse=True)


def epochs_of(path: Path | None) -> int:
    """How many epochs a checkpoint has behind it."""
    return 0 if path is None else int(path.stem.partition("-")[0]) + 1


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is undamaged; damaged ones are named in a warning and removed."""
    for path in _all(folder):
        if sha256_file(path).startswith(path.stem.partition("-")[2]):
            return path
        log.warning("%s is damaged; training goes on from the one before", path)
        path.unlink()
    return None
