"""Training of a classifier."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.numerics import rng
from benchmark.numerics.bounds import Fraction, NonNegative, Positive, Seed, checked_arguments
from benchmark.types import Batch
from lightning_modules.training import Training


class LitClassifier(Training):
    """Cross-entropy under a one-cycle schedule.

    Args:
        network: the classifier. optimizer: adamw | sgd (Nesterov's). label_smoothing: of the
            cross-entropy.
        augment: none | flip_crop (horizontal flip and a shift of up to an eighth of the side) | flip_crop_cutout (and
            a grey square of half the side; DeVries and Taylor, 2017), drawn per sample and epoch.
        class_weights: balanced weighs each sample by N / (K n_k), n_k the training images of its class and K the
            classes that have some, so that every class weighs the same; None weighs samples alike. label_N: the labels
            of the training images, for these weights.
    """

    weight_K: Tensor | None

    @checked_arguments
    def __init__(
        self,
        *,
        network: TimmClassifier,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        augment: Literal["none", "flip_crop", "flip_crop_cutout"] = "none",
        label_smoothing: Fraction = 0.0,
        class_weights: Literal["balanced"] | None = None,
        label_N: np.ndarray | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed, optimizer=optimizer)
        weight_K = balanced_weights(label_N, network.num_classes) if class_weights and label_N is not None else None
        self.register_buffer("weight_K", weight_K, persistent=False)
        self.network, self.augment, self.label_smoothing = network, augment, label_smoothing
        self.accuracy = MulticlassAccuracy(network.num_classes, average="micro")

    def trained(self) -> nn.Module:
        return self.network

    def training_step(self, batch: Batch, index: int) -> Tensor:
        image = batch["image"]
        if self.augment != "none":
            image = flip_crop(image, self.keys(batch, "augment"))
        if self.augment == "flip_crop_cutout":
            image = cutout(image, self.keys(batch, "cutout"))
        return self.checked(*self.objective(batch, image))

    def objective(self, batch: Batch, image_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a step, a scalar, and its parts; ``image_BCHW`` are the batch's images after augmentation."""
        loss = self.cross_entropy(self.network(image_BCHW), batch["label"]).mean()
        return loss, {"cross_entropy": loss}

    def cross_entropy(self, logits_BK: Tensor, label_B: Tensor) -> Tensor:
        """Cross-entropy per sample (B,), with label smoothing and the weight of the sample's class."""
        loss_B = F.cross_entropy(logits_BK, label_B, label_smoothing=self.label_smoothing, reduction="none")
        return loss_B if self.weight_K is None else loss_B * self.weight_K[label_B]

    def validation_step(self, batch: Batch, index: int) -> None:
        self.accuracy.update(self.network(batch["image"]), batch["label"])
        self.log("calibration/accuracy", self.accuracy, on_epoch=True, prog_bar=True)


def balanced_weights(label_N: np.ndarray, num_classes: int) -> Tensor:
    """N / (K n_k) by class, K the classes that have samples; 0 for the others; (num_classes,)."""
    count_K = np.bincount(label_N, minlength=num_classes)
    present_K = count_K > 0
    weight_K = np.where(present_K, len(label_N) / (present_K.sum() * np.maximum(count_K, 1)), 0.0)
    return torch.from_numpy(weight_K).float()


def flip_crop(image_BCHW: Tensor, key_B: Tensor) -> Tensor:
    """Each image mirrored with probability one half and shifted by up to an eighth of its side, edges reflected."""
    batch, _, height, width = image_BCHW.shape
    reach = height // 8
    choice = rng.uniform(key_B, 3)
    flipped = torch.where((choice[:, 0] < 0.5)[:, None, None, None], image_BCHW.flip(-1), image_BCHW)
    padded = F.pad(flipped, (reach,) * 4, mode="reflect")
    top, left = ((choice[:, 1:] * (2 * reach + 1)).long()).unbind(1)
    rows = top[:, None] + torch.arange(height, device=image_BCHW.device)
    columns = left[:, None] + torch.arange(width, device=image_BCHW.device)
    which = torch.arange(batch, device=image_BCHW.device)[:, None, None]
    return padded[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(image_BCHW: Tensor, key_B: Tensor) -> Tensor:
    """Each image with a grey square of half its side, whose centre is any pixel: what lies outside is cut off."""
    height, width = image_BCHW.shape[-2:]
    choice_B2 = rng.uniform(key_B, 2)

    def inside(size: int, choice_B: Tensor) -> Tensor:
        place = torch.arange(size, device=image_BCHW.device)
        start_B1 = (choice_B * size).long()[:, None] - size // 4
        return (place >= start_B1) & (place < start_B1 + size // 2)

    rows_BH, columns_BW = inside(height, choice_B2[:, 0]), inside(width, choice_B2[:, 1])
    return image_BCHW.masked_fill((rows_BH[:, :, None] & columns_BW[:, None, :])[:, None], 0.5)
