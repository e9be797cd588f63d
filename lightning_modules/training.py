"""What every training has in common: keyed random numbers, a one-cycle schedule, and a stop at the first NaN."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from benchmark.numerics import rng
from benchmark.numerics.bounds import NonNegative, Positive, Seed, checked_arguments
from benchmark.types import Batch


class Training(pl.LightningModule):
    """Base of the trained modules.

    Args:
        lr: peak of the one-cycle schedule. weight_decay: of the optimizer.
        seed: of all random numbers in training.
        optimizer: adam | adamw (decoupled weight decay; Loshchilov and Hutter, ICLR 2019) | sgd (Nesterov's momentum,
            0.95 that the schedule lowers to 0.85 and raises again; as it does Adam's first beta).
    """

    @checked_arguments
    def __init__(
        self,
        *,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
    ) -> None:
        super().__init__()
        self.lr, self.weight_decay, self.seed, self.optimizer = lr, weight_decay, seed, optimizer

    def trained(self) -> nn.Module:
        """The module whose weights are the result."""
        raise TypeError(f"{type(self).__name__} does not say what it trains")

    def keys(self, batch: Batch, purpose: str) -> Tensor:
        """A key per sample for this purpose in this epoch."""
        return rng.sample_keys(self.seed, purpose, batch["sample_id"], self.current_epoch)

    def checked(self, loss: Tensor, parts: dict[str, Tensor]) -> Tensor:
        """Logs the parts and returns the loss.

        Raises:
            FloatingPointError: a loss that is not finite; names the step and the parts.
        """
        if not torch.isfinite(loss):
            values = ", ".join(f"{name} {float(value.detach()):.4g}" for name, value in parts.items())
            raise FloatingPointError(
                f"{type(self).__name__}: the loss is {float(loss.detach())} at step {self.global_step} (epoch "
                f"{self.current_epoch}; {values}); nothing of it is kept, the checkpoint of the epoch before is: "
                "lower training.lr or the weights of the objective"
            )
        self.log_dict({f"train/{name}": value.detach() for name, value in parts.items()}, sync_dist=True)
        self.log("train/loss", loss.detach(), prog_bar=True, sync_dist=True)
        return loss

    def setup(self, stage: str) -> None:
        """Asks for the gradients of the trained parameters only: distributed training waits for every one asked for."""
        wanted = {id(parameter) for parameter in self.parameters_to_train()}
        for parameter in self.parameters():
            parameter.requires_grad_(id(parameter) in wanted)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Seeds the layers' own random numbers (dropout) by seed and step, also after a resume."""
        torch.manual_seed(int(rng.sample_keys(self.seed, "layers", torch.tensor([self.global_step]))))

    def parameters_to_train(self) -> Iterable[nn.Parameter]:
        """The parameters that are trained."""
        return self.trained().parameters()

    def new_optimizer(self) -> torch.optim.Optimizer:
        """What :attr:`optimizer` names. Fused: one kernel a step, and in Adam's a square root that is the same on every
        CPU (see benchmark/numerics/roots.py).
        """
        weights, lr, decay = self.parameters_to_train(), self.lr, self.weight_decay
        if self.optimizer == "sgd":
            return torch.optim.SGD(weights, lr=lr, weight_decay=decay, momentum=0.9, nesterov=True, fused=True)
        kind = torch.optim.AdamW if self.optimizer == "adamw" else torch.optim.Adam
        return kind(weights, lr=lr, weight_decay=decay, fused=True)

    def configure_optimizers(self):
        """The optimizer under a one-cycle schedule over all the steps."""
        optimizer = self.new_optimizer()
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=self.lr, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
