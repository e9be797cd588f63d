"""Random order, sample ids and calibration split of data sets that come with train and test only."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.numerics import rng

FIRST_ID = {"train": 0, "calibration": 1_000_000_000, "test": 2_000_000_000}
CALIBRATION_LEAST = 5


def drawn_order(label_N: np.ndarray, seed: int, split: str, *, balanced: bool = False) -> np.ndarray:
    """Rows in a random order of which the first n, for any n, have the classes in about the set's own proportions.

    If ``balanced`` they have the same number of each, as long as there are images of all; then the others follow. The
    rows are shuffled; row number r (from 0) among the n of its class gets the rank r / n, and rows are sorted by
    rank, ties in shuffled order. Sample ids follow this order, because the suite attacks, keeps and shows the first n
    samples by id, and files of a folder come class by class.
    """
    drawn = torch.argsort(rng.sample_keys(seed, f"order of {split}", torch.arange(len(label_N))), stable=True).numpy()
    rank = _rank_in_class(label_N[drawn])
    if balanced:
        return drawn[np.argsort(rank, kind="stable")]
    return drawn[np.argsort(rank / np.bincount(label_N)[label_N[drawn]], kind="stable")]


def calibration_rows(label_N: np.ndarray, share: float, class_names: list[str]) -> np.ndarray:
    """The calibration rows of train, given in random order, (N,) bool: of every class the first ``share``, at least 5.

    Raises:
        ValueError: a class that would have no sample left to train on.
    """
    size_K = np.bincount(label_N, minlength=len(class_names))
    taken_K = np.maximum(CALIBRATION_LEAST, np.round(share * size_K)).astype(np.int64)
    small = np.flatnonzero((taken_K >= size_K) & (size_K > 0))  # ImageNet's classes may lack images
    if len(small):
        size, taken = size_K[small[0]], taken_K[small[0]]
        raise ValueError(
            f"class {class_names[small[0]]!r} has {size} training images, of which {taken} would be taken for "
            "calibration and none be left: add images or a calibration split, or lower data.calibration_share"
        )
    return _rank_in_class(label_N) < taken_K[label_N]


def _rank_in_class(label_N: np.ndarray) -> np.ndarray:
    """The number of earlier rows of the same class, (N,) int64."""
    rank = np.empty(len(label_N), np.int64)
    for label in np.unique(label_N):
        own = np.flatnonzero(label_N == label)
        rank[own] = np.arange(len(own))
    return rank
