"""The classifier's decision on every sample of a split, and the population that it gets right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from benchmark.data.groups import FixedGroups, Population
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import predictions_ref
from benchmark.processes.progress import Progress
from benchmark.processes.signals import raise_if_stopped
from benchmark.storage.paths import PREDICTIONS
from benchmark.types import Classifier, ImageSet


def get_correct_samples(ctx: RunContext, classifier: Classifier, split: str) -> Population:
    """The samples of a split that the classifier gets right without a probe.

    Raises:
        ValueError: there is none.
    """
    images = load_data(ctx.config).split(split)
    ref = predictions_ref(ctx.config, split)
    artefact = ctx.artefact(ref, lambda folder: _predict(ctx, classifier, images, folder))
    prediction = load_file(artefact.path / PREDICTIONS)["prediction"]
    order = np.argsort(images.sample_id_N, kind="stable")
    right = prediction == images.label_N[order]
    if not right.any():
        raise ValueError(f"the classifier gets no {split} sample right: train it longer (classifier.training.epochs)")
    by_class = tally(images.label_N[order], right)
    return Population(images, order[right], prediction[right], float(right.mean()), by_class)


def tally(label_N: np.ndarray, right_N: np.ndarray) -> dict[int, tuple[int, int]]:
    """By class (images, those classified right), of the classes that there are."""
    classes, place_N = np.unique(label_N, return_inverse=True)
    count_K, right_K = np.bincount(place_N), np.bincount(place_N, weights=right_N)
    return {int(each): (int(n), int(right)) for each, n, right in zip(classes, count_K, right_K, strict=True)}


@torch.no_grad()
def _predict(ctx: RunContext, classifier: Classifier, images: ImageSet, folder: Path) -> dict[str, Any]:
    predicted = []
    groups = FixedGroups(images, range(len(images)), ctx.group_size(100))
    with Progress(f"predictions of {len(images):,} images", "groups", len(groups)) as progress:
        for batch in groups:
            raise_if_stopped()
            predicted.append(classifier(batch["image"].to(ctx.device)).argmax(1).cpu())
            progress.advance()
    prediction = torch.cat(predicted).numpy()
    save_file({"prediction": prediction}, folder / PREDICTIONS)
    label = images.label_N[np.argsort(images.sample_id_N, kind="stable")]
    return {"accuracy": float((prediction == label).mean()), "samples": len(label)}
