"""Whether weights whose tensors were paired by their order classify at all: wrongly paired equal shapes do not."""

from __future__ import annotations

import math

import numpy as np
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.numerics.modules import eval_mode
from benchmark.processes.notices import tell_once
from benchmark.types import ImageSet

CHECKED = 100  # images at most
_BATCH = 50
_SURE = 3.0  # standard deviations of a guess


@torch.no_grad()
def check_order(network: TimmClassifier, images: ImageSet, what: str) -> None:
    """Tells the share of the first 100 images that the network gets right, and raises a ValueError where it guesses.

    That is no proof of the order: blocks of one shape may change places and cost little. The share is there to be
    compared with the published one.

    A guess is right on 1 / k of the images, in the mean over the k classes that there are; the network has to lie three
    standard deviations above it. With one class alone nothing is checked.

    Args:
        what: the key and file of the weights, for the message.
    """
    rows = np.argsort(images.sample_id_N, kind="stable")[:CHECKED]
    label_N, right = images.label_N[rows], []
    with eval_mode(network):
        for part in np.array_split(rows, math.ceil(len(rows) / _BATCH)):
            batch = images.__getitems__(part.tolist())
            predicted_B = network(batch["image"].to(network.mean.device)).argmax(1).cpu()
            right.append((predicted_B == batch["label"]).numpy())
    right_N = np.concatenate(right)
    classes, count_K = np.unique(label_N, return_counts=True)
    if len(classes) < 2:
        return
    rate = float(np.mean([right_N[label_N == label].mean() for label in classes]))
    guess = 1 / len(classes)
    deviation = math.sqrt(float((guess * (1 - guess) / count_K).sum())) / len(classes)
    if rate < (least := guess + _SURE * deviation):
        raise ValueError(
            f"{what}: with its tensors paired by their order the network gets {rate:.1%} of {len(rows)} calibration "
            f"images right, in the mean over {len(classes)} classes, no more than a guess ({least:.1%} are asked for): "
            "the order is another one, its classes are others than the data's, or it wants another normalisation "
            "(classifier.mean, classifier.std); map the names with patterns (classifier.key_map)"
        )
    told = f"gets {rate:.1%} of {len(rows)} calibration images right, in the mean over {len(classes)} classes"
    tell_once(f"{what}: paired by their order, the network {told}: compare it with what is published of these weights")
