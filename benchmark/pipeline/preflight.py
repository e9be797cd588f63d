"""Everything a cell needs, put together untrained: what does not fit fails here, before any training starts."""

from __future__ import annotations

import math
from typing import Any

import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import check_labels
from benchmark.engine.external_weights import load_external_weights
from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.cam import CAM, GradCAM
from benchmark.interpreters.rts import RTS
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts import classifier, interpreter
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext


def preflight(place: RunContext) -> None:
    """Builds the data set, the networks, the training modules and the probe of a cell.

    Raises:
        ValueError, OSError: the part's own sentence.
    """
    config = place.config
    data = load_data(config)
    for split in ("train", "calibration", config["split"]):
        check_labels(data.split(split), data.num_classes)
    attacked, there = _networks(place, data.num_classes), place.for_source()
    if there is not place:
        attacked = _networks(there, data.num_classes)
    _blur(config["measure"]["blur"], data.image_size)
    _probe(config["probe"])
    if config["probe"]["needs_map"] and not attacked.differentiable:
        raise ValueError(
            f"interpreter={there.config['interpreter']['name']} is for measuring: its maps have no gradient to attack. "
            "Measure it under a probe that reads no maps (noise, pgd), or on another's images: "
            "+interpreter@probe.source=rts"
        )


def _blur(sigma: float, size: int) -> None:
    if not sigma > 0 or math.ceil(2.5 * sigma) >= size:
        raise ValueError(
            f"measure.blur is a sigma in pixels, above 0 and below {size / 2.5:.0f} for images of {size} px, got "
            f"{sigma}"
        )


def _networks(place: RunContext, num_classes: int) -> BaseInterpreter:
    """Classifier, interpreter and their training modules, untrained; the interpreter."""
    config = place.config
    network = freeze(classifier.build(config["classifier"], num_classes, pretrained=False)).to(place.device)
    network.check_size(load_data(config).image_size)
    if (checkpoint := config["classifier"]["checkpoint"]) is not None:
        load_external_weights(checkpoint, network, "classifier.checkpoint")
    instantiate(config["classifier"]["training"]["module"], network=network)
    explained = interpreter.build(place, network)
    _look(explained, place, load_data(config).image_size)
    if config["interpreter"].get("checkpoint") is not None:
        interpreter.load_checkpoint(place, explained)
    for stage in config["interpreter"].get("stages", {}).values():
        instantiate(stage["module"], interpreter=explained)
    return explained


def _look(explained: BaseInterpreter, place: RunContext, size: int) -> None:
    """One map of a grey image by an interpreter that rests on features: whether they lie on a grid shows only then."""
    if isinstance(explained, CAM | GradCAM | RTS):
        grey = torch.full((1, 3, size, size), 0.5, device=place.device)
        explained.explain(grey, torch.zeros(1, dtype=torch.long, device=place.device))


def _probe(settings: dict[str, Any]) -> None:
    if settings["module"] is None:
        return
    scale = {} if settings["level"] is None else {"scale": 0.0}
    instantiate(settings["module"], **scale)
