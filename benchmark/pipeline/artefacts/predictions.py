"""Which samples are measured: those that the classifier gets right without a probe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.specs import predictions_spec
from benchmark.data.groups import FixedGroups, Population
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext
from benchmark.processes.signals import raise_if_stopped
from benchmark.types import ImageSet


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
    saved = load_file(artefact.path / "predictions.safetensors")
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
    save_file({"prediction": prediction}, folder / "predictions.safetensors")
    label = images.label_N[np.argsort(images.sample_id_N, kind="stable")]
    return {"accuracy": float((prediction == label).mean()), "samples": len(label)}
