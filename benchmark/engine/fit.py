"""One training under a Lightning Trainer, in the folder of the artefact that it makes."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.strategies import DDPStrategy

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import Groups, GroupSubset
from benchmark.engine.checkpoints import Checkpoints, epochs_of, newest
from benchmark.engine.loggers import History
from benchmark.engine.out_of_memory import TrainingMemoryError, ran_out
from benchmark.processes import ranks
from benchmark.processes.signals import raise_if_stopped
from benchmark.processes.sync_batch_norm import over_all_ranks
from benchmark.storage.paths import CHECKPOINTS, HISTORY
from benchmark.tracking.live_run import live_run


class Bar(RichProgressBar):
    """Lightning's bar without its version number."""

    def get_metrics(self, trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, module).items() if name != "v_num"}


class StopAtBatch(Callback):
    """Ends the work cleanly after the batch in which a signal came."""

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        raise_if_stopped()

    def on_predict_batch_end(self, *args: Any, **kwargs: Any) -> None:
        raise_if_stopped()


def make_trainer(config: dict[str, Any], **extra: Any) -> pl.Trainer:
    """The configured Trainer, with a progress bar where somebody is looking."""
    _quiet()
    options = {key: value for key, value in config["trainer"].items() if key != "threads"}
    if options.get("strategy") == "ddp":
        # BatchNorm's statistics are the same in all processes (processes/sync_batch_norm.py): nothing to broadcast.
        # While the first process works alone the others wait, for as long as it takes.
        options["strategy"] = DDPStrategy(broadcast_buffers=False, timeout=timedelta(days=7))
    callbacks: list[Callback] = [*extra.pop("callbacks", []), StopAtBatch()]
    if sys.stderr.isatty() and sys.stdout.isatty():
        callbacks = [*callbacks, Bar(leave=False)]
    bar = any(isinstance(callback, RichProgressBar) for callback in callbacks)
    fixed = {"enable_progress_bar": bar, "enable_checkpointing": False}
    trainer = instantiate(options, callbacks=callbacks, **fixed, **extra)
    # processes/signals.py ends the work at the next batch; Lightning's own handlers would talk to the other
    # processes of a distributed run in the middle of something else, and hang.
    trainer._signal_connector.register_signal_handlers = lambda: None
    return trainer


def predict(config: dict[str, Any], module: pl.LightningModule, groups: GroupSubset, callback: Callback) -> None:
    """What ``module`` makes of each group, handed to the callback.

    In a distributed run each process has a Trainer of its own for its share, which may be empty; none waits.
    """
    options = {key: value for key, value in config["trainer"].items() if key not in ("strategy", "num_nodes")}
    if ranks.world_size() > 1:
        place = int(os.environ.get("LOCAL_RANK") or 0)
        options["devices"] = [place] if options["accelerator"] != "cpu" and torch.cuda.is_available() else 1
    if len(groups):
        trainer = make_trainer({**config, "trainer": options}, logger=False, callbacks=[callback])
        trainer.predict(module, groups, return_predictions=False)


def _quiet() -> None:
    """Lightning's advertisements and its remarks on what is meant: frozen trunks, short epochs, no worker processes."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for remark in (
        ".*module.* in eval mode at the start of training.*",
        ".*is smaller than the logging interval.*",
        ".*does not have many workers.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*broadcast_buffers. is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message=remark)


def fit(
    config: dict[str, Any],
    module: pl.LightningModule,
    loader: Any,
    folder: Path,
    *,
    job: dict[str, Any],
    epochs: int = -1,
    steps: int = -1,
    validation: Groups | None = None,
) -> dict[str, float]:
    """Trains ``module`` for so many epochs or steps and returns the last value of everything it logged.

    A checkpoint is kept after every epoch, so that a run that was cut off goes on from there.
    """
    if epochs == 0 or steps == 0:
        return {}
    if steps > 0:
        epochs = -(-steps // len(loader))
    last = ranks.broadcast(lambda: newest(folder / CHECKPOINTS))
    history = History(folder / HISTORY, epochs_of(last))
    with live_run(config, job, whole=last is None) as live:
        trainer = make_trainer(
            config,
            max_epochs=epochs,
            max_steps=steps,
            default_root_dir=folder,
            logger=[history, *live],
            callbacks=[Checkpoints(folder / CHECKPOINTS)],
        )
        own = None if validation is None else GroupSubset.for_rank(validation)
        try:
            with over_all_ranks():
                trainer.fit(module, loader, own, ckpt_path=last, weights_only=True)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise TrainingMemoryError(
                f"{job['name']} ran out of memory while it was trained ({str(error).splitlines()[0]}): train it on "
                "smaller batches (classifier.training.batch_size, budget.decoder_batch) or in several processes "
                "(trainer=ddp)"
            ) from error
    return history.last
