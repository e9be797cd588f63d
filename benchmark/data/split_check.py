"""What a data set must have to be measured on, for data sets of any kind, checked before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from benchmark.data.calibration_split import CALIBRATION_LEAST
from benchmark.data.groups import check_labels
from benchmark.data.masks import CountsMasks
from benchmark.processes.notices import warn_once
from benchmark.types import Data, ImageSet

# Images of the calibration split: a misclassification rate among fewer is no number.
LEAST_TO_CALIBRATE = 2 * CALIBRATION_LEAST
# From this ratio of the largest class to the smallest on, a split is not balanced.
ENOUGH = 20  # images a class in the mean, from which sizes of classes are no chance
IMBALANCE = 3


@runtime_checkable
class KnowsClasses(Protocol):
    """A data set whose splits may lack classes, as a folder of some of ImageNet's does."""

    def classes_of(self, split: str) -> np.ndarray:
        """The labels that the split has images of, however many of these are used; int64, ascending."""
        ...


def check_data(data: Data, splits: Iterable[str], level: float) -> None:
    """Checks the classes, labels and sizes of the splits; warns of classes without images and of masks without object.

    Args:
        splits: those that are used beside calibration. level: the least misclassification rate that is calibrated.
    Raises:
        ValueError: fewer than two classes, a split without images, a label outside the classes, fewer than 10
            calibration images.
    """
    if data.num_classes < 2:
        names = ", ".join(data.class_names[:3]) or "none"
        raise ValueError(
            f"the data set has {data.num_classes} class ({names}), a classifier and an attack's goal need at least 2: "
            "add a folder for each further class to every split (data.root)"
        )
    sets: dict[str, ImageSet] = {}
    for name in ("calibration", *(each for each in splits if each != "calibration")):
        sets[name] = data.split(name)
        check_labels(sets[name], data.num_classes)
        if name == "calibration":
            _check_calibration(len(sets[name]), level)
        own = data.classes_of(name) if isinstance(data, KnowsClasses) else np.arange(data.num_classes)
        _warn_of_classes(name, sets[name], own, data.class_names)
        _warn_of_imbalance(name, sets[name], data.class_names)
    _warn_of_masks(sets)


def _check_calibration(count: int, level: float) -> None:
    mend = "add images, or raise data.calibration or data.calibration_share"
    if count < LEAST_TO_CALIBRATE:
        raise ValueError(
            f"the calibration split has {count} images, at least {LEAST_TO_CALIBRATE} are needed for noise scales and "
            f"benign spreads: {mend}"
        )
    if count < (wanted := math.ceil(1 / level)):
        warn_once(
            f"the calibration split has {count} images, of which one is {1 / count:.1%}: a misclassification rate of "
            f"{level:.0%} needs at least {wanted}: {mend}"
        )


def _warn_of_classes(split: str, images: ImageSet, own: np.ndarray, class_names: list[str]) -> None:
    """Warns of classes, of the ``own`` ones of the split, with no image, or too few to calibrate, that is used."""
    least = CALIBRATION_LEAST if split == "calibration" else 1
    size_K = np.bincount(images.label_N, minlength=len(class_names))
    if len(few := own[size_K[own] < least]):
        wanted = f"fewer than {least} {split} images" if least > 1 else f"no {split} image"
        warn_once(
            f"{len(few)} of {len(own)} classes have {wanted} among the {len(images)} that are used (e.g. "
            f"{class_names[few[0]]} has {size_K[few[0]]}): raise data.{split}, or add images"
        )


def _warn_of_imbalance(split: str, images: ImageSet, class_names: list[str]) -> None:
    """Warns of a split whose largest class is three times the smallest of those that it has, or more."""
    classes, count_K = np.unique(images.label_N, return_counts=True)
    most, least = int(count_K.argmax()), int(count_K.argmin())
    if len(images) >= ENOUGH * len(classes) and count_K[most] >= IMBALANCE * count_K[least]:
        large, small = class_names[classes[most]], class_names[classes[least]]
        warn_once(
            f"the {split} images are not balanced: {count_K[most]} of {large}, {count_K[least]} of {small}, so that "
            f"always naming the former is right on {count_K[most] / len(images):.0%}: look at balanced_accuracy and "
            "by_class in the records; docs/photographs.md has what helps"
        )


def _warn_of_masks(sets: Mapping[str, ImageSet]) -> None:
    """Warns of masks that are there for some splits only, of empty ones, and of ones that cover the image."""
    if len({images.has_masks for images in sets.values()}) > 1:
        numbers = ", ".join(
            f"{name} {len(images) if images.has_masks else 0} of {len(images)}" for name, images in sets.items()
        )
        warn_once(f"not every split has object masks ({numbers}): without them a split has no object IoU")
    for name, images in sets.items():
        if not images.has_masks or not isinstance(images, CountsMasks):
            continue
        counts = images.mask_counts()
        if counts.empty:
            warn_once(
                f"{counts.empty} of {len(images)} {name} masks are missing or empty: these samples have no object IoU, "
                "a record counts them as n_without_object_iou"
            )
        if counts.full:
            warn_once(
                f"{counts.full} of {len(images)} {name} masks cover the whole image: a mask is 0 outside of the "
                "object, whatever its other values"
            )
