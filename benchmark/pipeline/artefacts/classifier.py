"""The configured classifier: trained once, kept in the store, frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from safetensors.torch import load_file, save_file

from benchmark.classifiers.order_check import check_order
from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import KEY_MAP, Config, training_sources, training_start
from benchmark.data.epoch_loader import epoch_loader
from benchmark.data.groups import FixedGroups
from benchmark.engine.external_weights import load_external_weights
from benchmark.engine.fit import fit
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext, seeded
from benchmark.planning.required_artefacts import ArtefactRef, classifier_ref, source_name, start_name
from benchmark.processes import ranks
from benchmark.storage.artefacts import Artefact
from benchmark.storage.external_file import ORDER, read_key_map
from benchmark.storage.paths import WEIGHTS
from benchmark.tracking.run_config import training_config
from benchmark.tracking.wandb_run import RunInfo


def build_classifier(ctx: RunContext, group: Config | None = None, *, pretrained: bool = False) -> TimmClassifier:
    """The network of a classifier group (default: the explained one) with seeded or pretrained weights.

    Raises:
        ValueError: timm does not know it, or it does not take images of this size.
    """
    group = ctx.config["classifier"] if group is None else group
    data = load_data(ctx.config)
    with seeded(group["seed"], "classifier"):
        return TimmClassifier(
            name=group["name"],
            num_classes=data.num_classes,
            pretrained=pretrained,
            small_input=group["small_input"],
            options=group["options"],
            mean=group.get("mean"),
            std=group.get("std"),
        )


def load_weights_from_outside(ctx: RunContext, group: Config, network: TimmClassifier) -> None:
    """Loads ``classifier.checkpoint`` into a network on its device.

    Raises:
        ValueError, OSError: the file is missing or does not fit, or tensors paired by their order do not classify.
    """
    key_map = read_key_map(group.get("key_map"), KEY_MAP)
    path, key = group["checkpoint"], "classifier.checkpoint"
    load_external_weights(path, network, key, entry=group.get("checkpoint_entry"), key_map=key_map)
    if key_map == ORDER:
        check_order(network, load_data(ctx.config).split("calibration"), f"{key}={path}")


def get_classifier(ctx: RunContext, group: Config | None = None, name: str = "classifier") -> TimmClassifier:
    """The classifier of a group (default: the explained one), trained or from the store; frozen, in eval mode."""
    chosen = ctx.config["classifier"] if group is None else group
    return _load(ctx, chosen, _get(ctx, chosen, name))


def _get(ctx: RunContext, group: Config, name: str) -> Artefact:
    """The artefact of a classifier, made now if it is not in the store, after those that its training needs."""
    ref = classifier_ref(ctx.config, group, name)
    first = training_start(group)
    start = None if first is None else _get(ctx, first, start_name(name))
    sources = {key: _get(ctx, source, source_name(name, key)) for key, source in training_sources(group).items()}
    return ctx.artefact(ref, lambda folder: _train(ctx, group, ref, folder, start, sources), single_process=False)


def _load(ctx: RunContext, group: Config, artefact: Artefact) -> TimmClassifier:
    network = build_classifier(ctx, group)
    network.load_state_dict(load_file(artefact.path / WEIGHTS))
    return freeze(network).to(ctx.device)


def training_module(
    group: Config, network: TimmClassifier, sources: list[TimmClassifier], label_N: np.ndarray
) -> pl.LightningModule:
    """The configured training of a network, given those that it needs and the labels of the training images."""
    parts: dict[str, Any] = {"sources": sources} if "sources" in group["training"] else {}
    if group["training"]["module"].get("class_weights"):
        parts["label_N"] = label_N
    module: pl.LightningModule = instantiate(group["training"]["module"], network=network, **parts)
    return module


def _train(
    ctx: RunContext,
    group: Config,
    ref: ArtefactRef,
    folder: Path,
    start: Artefact | None,
    made: dict[str, Artefact],
) -> dict[str, Any]:
    training, checkpoint, data = group["training"], group["checkpoint"], load_data(ctx.config)
    outside = group["pretrained"] and checkpoint is None and start is None
    network = build_classifier(ctx, group, pretrained=outside)
    if checkpoint is not None:
        load_weights_from_outside(ctx, group, network)
        return {**_save(network, folder), "checkpoint": str(checkpoint)}
    train, calibration = data.split("train"), data.split("calibration")
    checked = max(min(training["batch_size"], len(calibration) // ranks.world_size()), 1)  # some for every process
    if start is not None:
        network.load_state_dict(load_file(start.path / WEIGHTS))
    sources = [_load(ctx, training["sources"][key], artefact) for key, artefact in made.items()]
    metrics = fit(
        ctx.config,
        training_module(group, network, sources, train.label_N),
        epoch_loader(train, training["batch_size"], seed=group["seed"]),
        folder,
        epochs=training["epochs"],
        validation=FixedGroups(calibration, range(len(calibration)), checked),
        info=RunInfo("train", f"{ref.name} {ref.label}", ref.key, training_config(ctx.config, ref.name)),
    )
    return {**{key: float(value) for key, value in metrics.items()}, **_save(network, folder)}


def _save(network: TimmClassifier, folder: Path) -> dict[str, Any]:
    weights = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    if ranks.is_main_process():
        save_file(weights, folder / WEIGHTS)
    return {"parameters": sum(parameter.numel() for parameter in network.parameters())}
