"""Robust classifiers: adversarial training, with the suite's own attack loop inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import rng
from benchmark.numerics.bounds import (
    Fraction,
    NonNegative,
    Positive,
    Seed,
    Weight,
    WholeNonNegative,
    checked_arguments,
)
from benchmark.numerics.modules import freeze, restored
from benchmark.objectives.adversarial_training import Divergence, mixed_loss, trades_loss
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.types import Batch, Goal, Objective, Perturbation
from lightning_modules.classifier import LitClassifier


class LitAdversarial(LitClassifier):
    """A classifier trained on images that are attacked as it is now; a subclass says by which loss.

    Args:
        perturbation: what the attack inside may do to an image; random starts are drawn per sample and epoch.
        steps: of that attack; 0 leaves the images at their random start.
        attack_mode: eval | train, the mode that the network is attacked in. In train mode BatchNorm takes the
            statistics of each step's batch, and its running averages see every step. The loss is taken in train mode.
        ramp: share of the training over which x' - x is scaled by a factor rising from 0 to 1: from the first step on
            attacked by the whole ball, a net whose classes are faint to begin with learns none.
        lr, weight_decay, seed, optimizer, augment, label_smoothing: those of LitClassifier.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        network: TimmClassifier,
        perturbation: Perturbation,
        steps: WholeNonNegative,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        augment: Literal["none", "flip_crop", "flip_crop_cutout"] = "none",
        label_smoothing: Fraction = 0.0,
        attack_mode: Literal["eval", "train"] = "eval",
        ramp: Fraction = 0.0,
    ) -> None:
        super().__init__(
            network=network,
            lr=lr,
            weight_decay=weight_decay,
            seed=seed,
            optimizer=optimizer,
            augment=augment,
            label_smoothing=label_smoothing,
        )
        self.perturbation, self.steps, self.attack_mode, self.ramp = perturbation, steps, attack_mode, ramp

    def adversarial(self, network: TimmClassifier, objective: Objective, batch: Batch, image_BCHW: Tensor) -> Tensor:
        """x' (B, 3, H, W) of this :meth:`strength`: where the attack on ``network`` ends, away from the labels."""
        attack = GradientAttack(perturbation=self.perturbation, phases=[Phase(objective)], steps=self.steps)
        with restored(network):
            attacked = BaseInterpreter(classifier=network)  # frozen in here
            network.train(self.attack_mode == "train" and network is self.network)
            goal = Goal(batch["label"], None, targeted=False)
            adversarial = attack.last_iterate(attacked, image_BCHW, goal, self.keys(batch, "inner attack"))
        return torch.lerp(image_BCHW, adversarial, self.strength())

    def strength(self) -> float:
        """The factor of x' - x at this step, from 0 to 1."""
        steps = self.ramp * float(self.trainer.estimated_stepping_batches) if self.ramp > 0 else 0.0
        return min(self.global_step / steps, 1.0) if steps > 0 else 1.0


class LitPGD(LitAdversarial):
    """min E max_{x'} CE(f(x'), y), by PGD (Madry et al., ICLR 2018).

    A step takes ``steps`` + 1.5 passes per image: PGD's own, half a pass for its first class, and one for the loss.
    """

    def objective(self, batch: Batch, image_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        attacked = self.adversarial(self.network, Prediction(), batch, image_BCHW)
        logits_BK = self.network(attacked)
        loss = self.cross_entropy(logits_BK, batch["label"]).mean()
        return loss, {"adversarial_cross_entropy": loss, "adversarial_accuracy": _accuracy(logits_BK, batch)}


class LitTRADES(LitAdversarial):
    """min E [CE(f(x), y) + beta max_{x'} KL(f(x) || f(x'))] (Zhang et al., ICML 2019).

    The loss takes one pass of the network over x and x' together: BatchNorm's statistics must not tell one from the
    other. A step takes ``steps`` + 3 passes per image; with beta = 0 it is a step of LitClassifier.

    Args:
        beta: weight of the divergence (the paper's 1 / lambda, 6 there on CIFAR-10).
    """

    @checked_arguments
    def __init__(
        self,
        *,
        network: TimmClassifier,
        perturbation: Perturbation,
        steps: WholeNonNegative,
        beta: Weight,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        augment: Literal["none", "flip_crop", "flip_crop_cutout"] = "none",
        label_smoothing: Fraction = 0.0,
        attack_mode: Literal["eval", "train"] = "eval",
        ramp: Fraction = 0.0,
    ) -> None:
        super().__init__(
            network=network,
            perturbation=perturbation,
            steps=steps,
            lr=lr,
            weight_decay=weight_decay,
            seed=seed,
            optimizer=optimizer,
            augment=augment,
            label_smoothing=label_smoothing,
            attack_mode=attack_mode,
            ramp=ramp,
        )
        self.beta = beta

    def objective(self, batch: Batch, image_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if self.beta == 0:
            return super().objective(batch, image_BCHW)
        with torch.no_grad(), restored(self.network):
            reference_BK = self.network.train(self.attack_mode == "train")(image_BCHW)
        attacked = self.adversarial(self.network, Divergence(reference_BK), batch, image_BCHW)
        benign_BK, adversarial_BK = self.network(torch.cat([image_BCHW, attacked])).chunk(2)
        cross_entropy = self.cross_entropy(benign_BK, batch["label"]).mean()
        loss = trades_loss(cross_entropy, benign_BK, adversarial_BK, self.beta)
        parts = {"cross_entropy": cross_entropy, "divergence": (loss - cross_entropy) / self.beta}
        return loss, {**parts, "adversarial_accuracy": _accuracy(adversarial_BK, batch)}


class LitEnsembleAdversarial(LitAdversarial):
    """(1 - share) CE(f(x), y) + share CE(f(x'), y), x' made against another, fixed net (Tramer et al., ICLR 2018).

    For every batch one net is drawn, of ``sources`` and the trained network itself, by a number keyed by (seed, step).
    The loss takes one pass of the network over x and x' together. A step takes ``steps`` + 2.5 passes per image.

    Args:
        sources: pretrained classifiers of the same classes; they are frozen and stay as they are.
        share: of the loss on x'.
    Raises:
        ValueError: no source.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        network: TimmClassifier,
        sources: Sequence[TimmClassifier],
        perturbation: Perturbation,
        steps: WholeNonNegative,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        augment: Literal["none", "flip_crop", "flip_crop_cutout"] = "none",
        label_smoothing: Fraction = 0.0,
        attack_mode: Literal["eval", "train"] = "eval",
        ramp: Fraction = 0.0,
        share: Fraction = 0.5,
    ) -> None:
        super().__init__(
            network=network,
            perturbation=perturbation,
            steps=steps,
            lr=lr,
            weight_decay=weight_decay,
            seed=seed,
            optimizer=optimizer,
            augment=augment,
            label_smoothing=label_smoothing,
            attack_mode=attack_mode,
            ramp=ramp,
        )
        if not sources:
            raise ValueError(
                "classifier.training.sources holds the nets whose adversarial examples are trained on, and is empty: "
                "name one (+classifier@classifier.training.sources.NAME=small_regnet)"
            )
        self.sources, self.share = nn.ModuleList(freeze(source) for source in sources), share

    def drawn(self) -> TimmClassifier:
        """The net that this step's examples are made against."""
        key_1 = rng.sample_keys(self.seed, "source", torch.tensor([self.global_step]))
        index = int(rng.integers(key_1, len(self.sources) + 1, 1))
        return self.sources[index] if index < len(self.sources) else self.network  # type: ignore[return-value]

    def objective(self, batch: Batch, image_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        attacked = self.adversarial(self.drawn(), Prediction(), batch, image_BCHW)
        logits_BK = self.network(torch.cat([image_BCHW, attacked]))
        benign_B, adversarial_B = self.cross_entropy(logits_BK, batch["label"].repeat(2)).chunk(2)
        loss = mixed_loss(benign_B, adversarial_B, self.share)
        parts = {"cross_entropy": benign_B.mean(), "adversarial_cross_entropy": adversarial_B.mean()}
        return loss, {**parts, "adversarial_accuracy": _accuracy(logits_BK.chunk(2)[1], batch)}


def _accuracy(logits_BK: Tensor, batch: Batch) -> Tensor:
    return (logits_BK.argmax(1) == batch["label"]).float().mean()
