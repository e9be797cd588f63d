"""The probes under ``Trainer.predict``: noise or an attack, one fixed group of samples at a time."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor

from benchmark.numerics.images import to_bytes
from benchmark.probes.account import CURVE, FACT
from benchmark.types import Batch, Interpreter, Probe


class LitProbe(pl.LightningModule):
    """Batch in, probed images out, rounded once to 8 bit.

    Args:
        interpreter: with its classifier, what is probed. probe: noise or attack.
    """

    def __init__(self, *, interpreter: Interpreter, probe: Probe) -> None:
        super().__init__()
        self.interpreter, self.probe = interpreter, probe

    @torch.enable_grad()
    def predict_step(self, batch: Batch, index: int) -> dict[str, Tensor]:
        """``sample_id`` (B,), ``image`` (B, 3, H, W) uint8, ``goal`` (B,) and, where the probe has them, ``goal_map``
        (B, h, w) and every fact of the attack as ``attack.NAME`` (B,) and curve as ``curve.NAME`` (B, G).
        """
        probed = self.probe(self.interpreter, batch["image"], batch["prediction"], batch["sample_id"])
        image = to_bytes(probed.image_BCHW.detach())
        made = {"sample_id": batch["sample_id"], "image": image, "goal": probed.goal_B}
        if probed.goal_Bhw is not None:
            made["goal_map"] = probed.goal_Bhw.detach()
        made |= {f"{FACT}{name}": value for name, value in probed.facts.items()}
        made |= {f"{CURVE}{name}": value for name, value in probed.curves.items()}
        return made
