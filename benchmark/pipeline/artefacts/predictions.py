"""Which samples are measured: those that the classifier gets right without a probe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.specs import predictions_spec
from benchmark.data.groups import FixedGroups
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext
from benchmark.processes.signals import raise_if_stopped
from benchmark.storage.paths import PREDICTIONS
from benchmark.types import Batch, ImageSet


@dataclass
class Population:
    """Rows of one split in sample-id order, with the classifier's decision on each.

    ``accuracy`` is over the whole split, the rows are those classified right.
    """

    images: ImageSet
    rows: np.ndarray
    prediction: np.ndarray
    accuracy: float

    def first(self, count: int | None) -> Population:
        """The first ``count`` rows; all for None."""
        return Population(self.images, self.rows[:count], self.prediction[:count], self.accuracy)

    def among(self, other: Population) -> Population:
        """The rows that another population of the same images has too.

        Raises:
            ValueError: there is none.
        """
        both = np.isin(self.rows, other.rows)
        if not both.any():
            raise ValueError(
                "probe.surrogate and the classifier get no attacked sample both right: train them longer, or attack "
                "more samples (probe.samples)"
            )
        return Population(self.images, self.rows[both], self.prediction[both], self.accuracy)

    def groups(self, batch_size: int) -> WithPrediction:
        """Fixed groups whose batches also hold ``prediction``."""
        return WithPrediction(self, batch_size)


class WithPrediction:
    """Fixed groups of a population, with the benign ``prediction``, the ``group`` and each sample's ``place``."""

    def __init__(self, population: Population, batch_size: int) -> None:
        self.groups = FixedGroups(population.images, population.rows, batch_size)
        ids = population.images.sample_id_N[population.rows]
        self.prediction = dict(zip(ids.tolist(), population.prediction.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Batch:
        batch = self.groups[number]
        predicted = [self.prediction[sample] for sample in batch["sample_id"].tolist()]
        place = number * self.groups.batch_size + torch.arange(len(predicted))
        return {**batch, "prediction": torch.tensor(predicted), "place": place, "group": torch.tensor(number)}

    def __iter__(self) -> Iterator[Batch]:
        return (self[number] for number in range(len(self)))


def get_population(place: RunContext, classifier: TimmClassifier, split: str) -> Population:
    """The right-classified samples of a split.

    Raises:
        ValueError: there is none.
    """
    images = load_data(place.config).split(split)
    spec = {**predictions_spec(place.config), "split": split}
    artefact = place.artefact(
        "predictions", f"predictions {split}", spec, lambda folder: _predict(place, classifier, images, folder)
    )
    saved = load_file(artefact.path / PREDICTIONS)
    order = np.argsort(images.sample_id_N, kind="stable")
    right = saved["prediction"] == images.label_N[order]
    if not right.any():
        raise ValueError(f"the classifier gets no {split} sample right: train it longer (classifier.training.epochs)")
    return Population(images, order[right], saved["prediction"][right], float(right.mean()))


@torch.no_grad()
def _predict(place: RunContext, classifier: TimmClassifier, images: ImageSet, folder: Path) -> dict[str, Any]:
    predicted = []
    for batch in FixedGroups(images, range(len(images)), place.group_size(100)):
        raise_if_stopped()
        predicted.append(classifier(batch["image"].to(place.device)).argmax(1).cpu()[batch["valid"]])
    prediction = torch.cat(predicted).numpy()
    save_file({"prediction": prediction}, folder / PREDICTIONS)
    label = images.label_N[np.argsort(images.sample_id_N, kind="stable")]
    return {"accuracy": float((prediction == label).mean()), "samples": len(label)}
