"""The benign spread of an interpreter: how far its maps move when nothing that matters has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import spread_noise, spread_spec
from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics import map_distance
from benchmark.metrics.stability import shifted_distance
from benchmark.pipeline.artefacts.noise_scale import get_scale
from benchmark.pipeline.artefacts.predictions import get_population
from benchmark.pipeline.context import RunContext
from benchmark.processes.signals import raise_if_stopped


def get_spread(place: RunContext, interpreter: BaseInterpreter) -> dict[str, Any]:
    """``spread``, and the two 95th percentiles on calibration of which it is the larger (``noise``, ``shift``)."""
    spec = spread_spec(place.config)
    return place.artefact("spread", "spread", spec, lambda folder: _measure(place, interpreter, folder)).metrics


def _measure(place: RunContext, interpreter: BaseInterpreter, folder: Path) -> dict[str, Any]:
    classifier, device = interpreter.classifier, place.device
    module, level = spread_noise(place.config)
    noise = instantiate(module, scale=get_scale(place, classifier, module, level)["scale"])
    population = get_population(place, classifier, "calibration").first(place.config["measure"]["spread_samples"])
    by_noise: list[Tensor] = []
    by_shift: list[Tensor] = []
    for batch in population.groups(place.group_size(100)):
        raise_if_stopped()
        image, class_B, valid = batch["image"].to(device), batch["prediction"].to(device), batch["valid"].to(device)
        benign = interpreter(image, class_B).detach()
        noisy = noise.perturb(image, batch["sample_id"].to(device))
        with torch.no_grad():
            same = (classifier(noisy).argmax(1) == class_B) & valid
        by_noise.append(map_distance.l1(benign, interpreter(noisy, class_B).detach())[same].cpu())
        by_shift.append(shifted_distance(interpreter, image, class_B, benign)[:, valid].flatten().cpu())
    noise_95 = torch.quantile(torch.cat(by_noise), 0.95)
    shift_95 = torch.quantile(torch.cat(by_shift), 0.95)
    return {
        "spread": float(max(noise_95, shift_95)),
        "noise": float(noise_95),
        "shift": float(shift_95),
        "samples": len(population.rows),
    }
