"""The configured Lightning Trainer, and prediction over fixed groups."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.strategies import DDPStrategy

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import GroupSubset
from benchmark.numerics.precisions import BFLOAT16, FLOAT32
from benchmark.processes import ranks
from benchmark.processes.progress import Progress
from benchmark.processes.signals import raise_if_stopped

# Of the trainer group: keys that are not the Trainer's.
OWN_KEYS = ("threads", "portable", "compile", "keep_minutes")


class Bar(RichProgressBar):
    """Lightning's bar without its version number."""

    def get_metrics(self, trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, module).items() if name != "v_num"}


class Lines(Callback):
    """How far a training is, a line of the log a minute, for where there is no terminal for a bar."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.progress = Progress(self.what, "steps", int(trainer.estimated_stepping_batches), trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        self.progress.advance(note=lambda: f"epoch {trainer.current_epoch + 1}, loss {float(outputs['loss']):.4g}")


class StopAtBatch(Callback):
    """Ends a prediction cleanly after the batch in which a signal came."""

    def on_predict_batch_end(self, *args: Any, **kwargs: Any) -> None:
        raise_if_stopped()


def has_bar() -> bool:
    """Whether Lightning draws its bar: on a terminal."""
    return sys.stderr.isatty() and sys.stdout.isatty()


def make_trainer(config: dict[str, Any], **extra: Any) -> pl.Trainer:
    """The configured Trainer, with a progress bar on a terminal."""
    _quiet()
    options = {key: value for key, value in config["trainer"].items() if key not in OWN_KEYS}
    if options.get("precision") == BFLOAT16:  # of layers alone, see numerics/layers.py
        options["precision"] = FLOAT32
    if options.get("strategy") == "ddp":
        # BatchNorm's statistics are the same in all processes (processes/sync_batch_norm.py): nothing to broadcast.
        # While the main process works by itself the others wait, for as long as it takes.
        options["strategy"] = DDPStrategy(broadcast_buffers=False, timeout=timedelta(days=7))
    callbacks: list[Callback] = [*extra.pop("callbacks", []), StopAtBatch()]
    if has_bar():
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
        device = int(os.environ.get("LOCAL_RANK") or 0)
        options["devices"] = [device] if options["accelerator"] != "cpu" and torch.cuda.is_available() else 1
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
        ".*srun. command is available.*",  # under SLURM each job of a sweep is a process of its own
        ".*isinstance.treespec, LeafSpec.*",
        ".*broadcast_buffers. is deprecated.*",
        ".*your dataloader is not resumable.*",  # it is: engine/fit.py
        ".*GPU available but not used.*",  # trainer=cpu says so
    ):
        warnings.filterwarnings("ignore", message=remark)
