"""One training under a Lightning Trainer, in the folder of the artefact that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from benchmark.data.epoch_loader import EpochLoader
from benchmark.data.groups import Groups, GroupSubset
from benchmark.engine.checkpoints import Checkpoints, behind, newest
from benchmark.engine.loggers import History
from benchmark.engine.out_of_memory import TrainingMemoryError, ran_out
from benchmark.engine.trainer import Lines, has_bar, make_trainer
from benchmark.numerics import layers
from benchmark.processes import ranks
from benchmark.processes.sync_batch_norm import over_all_ranks
from benchmark.storage.paths import CHECKPOINTS, HISTORY
from benchmark.tracking.live_run import live_run
from benchmark.tracking.wandb_run import RunInfo


def fit(
    config: dict[str, Any],
    module: pl.LightningModule,
    loader: EpochLoader,
    folder: Path,
    *,
    info: RunInfo,
    epochs: int = -1,
    steps: int = -1,
    validation: Groups | None = None,
) -> dict[str, float]:
    """Trains ``module`` for so many epochs or steps and returns the last value of everything it logged.

    A checkpoint is kept after every epoch, every ``trainer.keep_minutes`` within one and at a stop, so that a run that
    was cut off goes on from there.
    """
    if epochs == 0 or steps == 0:
        return {}
    if steps > 0:
        epochs = -(-steps // len(loader))
    last = ranks.broadcast(lambda: newest(folder / CHECKPOINTS))
    loader.begin_after(behind(last).batches)
    history = History(folder / HISTORY, behind(last))
    with live_run(config, info, whole=last is None) as live:
        trainer = make_trainer(
            config,
            max_epochs=epochs,
            max_steps=steps,
            default_root_dir=folder,
            logger=[history, *live],
            callbacks=[
                Checkpoints(folder / CHECKPOINTS, 60 * config["trainer"]["keep_minutes"]),
                *([] if has_bar() else [Lines(info.name)]),
            ],
        )
        own = None if validation is None else GroupSubset.for_rank(validation)
        try:
            with over_all_ranks(), layers.configured(config["trainer"]):
                trainer.fit(module, loader, own, ckpt_path=last, weights_only=True)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise TrainingMemoryError(
                f"{info.name} ran out of memory while it was trained ({str(error).splitlines()[0]}): train it on "
                "smaller batches (classifier.training.batch_size, budget.decoder_batch) or in several processes "
                "(trainer=ddp)"
            ) from error
    return history.last
