"""The configured classifier: trained once, kept in the store, frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import classifier_spec
from benchmark.data.groups import FixedGroups, epoch_loader
from benchmark.engine.external_weights import load_external_weights
from benchmark.engine.fit import fit
from benchmark.numerics.images import freeze
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext, seeded
from benchmark.processes import ranks
from benchmark.storage.paths import WEIGHTS
from benchmark.types import Data


def build(group: dict[str, Any], num_classes: int, pretrained: bool) -> TimmClassifier:
    """The network of a classifier group with fresh (seeded) or pretrained weights."""
    with seeded(group["seed"], "classifier"):
        return TimmClassifier(
            name=group["name"],
            num_classes=num_classes,
            pretrained=pretrained,
            small_input=group["small_input"],
            options=group["options"],
        )


def get_classifier(place: RunContext, group: dict[str, Any] | None = None, name: str = "classifier") -> TimmClassifier:
    """The classifier on the workplace's device, frozen; ``group`` stands for another than the explained one."""
    chosen = place.config["classifier"] if group is None else group
    data = load_data(place.config)
    spec = classifier_spec(place.config, group)
    artefact = place.artefact(
        "classifier", name, spec, lambda folder: _train(place, chosen, data, folder, name), alone=False
    )
    network = build(chosen, data.num_classes, pretrained=False)
    network.load_state_dict(load_file(artefact.path / WEIGHTS))
    return freeze(network).to(place.device)


def _train(place: RunContext, group: dict[str, Any], data: Data, folder: Path, name: str) -> dict[str, Any]:
    training = group["training"]
    checkpoint = group["checkpoint"]
    network = build(group, data.num_classes, group["pretrained"] and checkpoint is None)
    if checkpoint is not None:
        load_external_weights(checkpoint, network, "classifier.checkpoint")
        return {**_save(network, folder), "checkpoint": str(checkpoint)}
    module = instantiate(training["module"], network=network)
    train, calibration = data.split("train"), data.split("calibration")
    checked = max(min(training["batch_size"], len(calibration) // ranks.world_size()), 1)  # something for every process
    metrics = fit(
        place.config,
        module,
        epoch_loader(train, training["batch_size"], seed=group["seed"]),
        folder,
        epochs=training["epochs"],
        validation=FixedGroups(calibration, range(len(calibration)), checked),
        job={
            "job_type": "train",
            "name": f"{name} {group['label']} s{group['seed']}",
            "id": place.store.key("classifier", classifier_spec(place.config, group)),
            "tags": [place.config["data"]["name"], group["label"]],
            "config": {"data": place.config["data"], "classifier": group},
        },
    )
    return {**{key: float(value) for key, value in metrics.items()}, **_save(network, folder)}


def _save(network: TimmClassifier, folder: Path) -> dict[str, Any]:
    weights = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    if ranks.is_main_process():
        save_file(weights, folder / WEIGHTS)
    return {"parameters": sum(parameter.numel() for parameter in network.parameters())}
