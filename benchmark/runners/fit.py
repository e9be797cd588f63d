"""One training under a Lightning Trainer, in the folder of the artefact that it makes."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar

from benchmark.runners.checkpoints import Checkpoints, newest
from benchmark.runners.instantiation import instantiate
from benchmark.runners.loggers import History, live_run
from benchmark.runners.stopping import check


class Bar(RichProgressBar):
    """Lightning's bar without its version number."""

    def get_metrics(self, trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, module).items() if name != "v_num"}


class StopAtBatch(Callback):
    """Ends the work cleanly after the batch in which a signal came."""

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        check()

    def on_predict_batch_end(self, *args: Any, **kwargs: Any) -> None:
        check()


def make_trainer(config: dict[str, Any], **extra: Any) -> pl.Trainer:
    """The configured Trainer, with a progress bar where somebody is looking."""
    _quiet()
    options = {key: value for key, value in config["trainer"].items() if key != "threads"}
    callbacks: list[Callback] = [*extra.pop("callbacks", []), StopAtBatch()]
    if sys.stderr.isatty() and sys.stdout.isatty():
        callbacks = [*callbacks, Bar(leave=False)]
    bar = any(isinstance(callback, RichProgressBar) for callback in callbacks)
    fixed = {"enable_progress_bar": bar, "enable_checkpointing": False}
    return instantiate(options, callbacks=callbacks, **fixed, **extra)


def _quiet() -> None:
    """Lightning's advertisements and its remarks on what is meant: frozen trunks, short epochs, no worker processes."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for remark in (
        ".*module.* in eval mode at the start of training.*",
        ".*is smaller than the logging interval.*",
        ".*does not have many workers.*",
        ".*isinstance.treespec, LeafSpec.*",
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
    validation: Any = None,
) -> dict[str, float]:
    """Trains ``module`` for so many epochs or steps and returns the last value of everything it logged.

    A checkpoint is kept after every epoch, so that a run that was cut off goes on from there.
    """
    if epochs == 0 or steps == 0:
        return {}
    if steps > 0:
        epochs = -(-steps // len(loader))
    history = History(folder / "history.jsonl")
    with live_run(config, job) as live:
        trainer = make_trainer(
            config,
            max_epochs=epochs,
            max_steps=steps,
            default_root_dir=folder,
            logger=[history, *live],
            callbacks=[Checkpoints(folder / "checkpoints")],
        )
        last = newest(folder / "checkpoints")
        trainer.fit(module, loader, validation, ckpt_path=last, weights_only=True)
    return history.last
