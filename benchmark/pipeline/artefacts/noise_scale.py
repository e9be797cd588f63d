"""The configured noise with its calibrated scale."""

from __future__ import annotations

from typing import Any

import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import scale_spec
from benchmark.numerics.images import quantise
from benchmark.pipeline.artefacts.predictions import get_population
from benchmark.pipeline.context import RunContext
from benchmark.probes.noise_calibration import calibrate
from benchmark.processes.signals import raise_if_stopped
from benchmark.types import Classifier, Probe


def get_probe(place: RunContext, classifier: Classifier) -> tuple[Probe, dict[str, Any]]:
    """The configured probe, and facts about it for the record (noise: the scale and its calibration rate)."""
    probe = place.config["probe"]
    if probe["level"] is None:
        return instantiate(probe["module"]), {}
    found = get_scale(place, classifier, probe["module"], probe["level"])
    facts = {"noise_scale": found["scale"], "rate_calibration": found["rate"], "n_calibration": found["samples"]}
    return instantiate(probe["module"], scale=found["scale"]), facts


def get_scale(place: RunContext, classifier: Classifier, module: dict[str, Any], level: float) -> dict[str, Any]:
    """``scale``, ``rate``, ``samples`` and ``tolerance`` of noise that misclassifies ``level`` on calibration."""
    spec = scale_spec(place.config, module, level)
    name = f"noise {module['kind']} {level:g}"
    return place.artefact("scale", name, spec, lambda folder: _calibrate(place, classifier, module, level)).metrics


@torch.no_grad()
def _calibrate(place: RunContext, classifier: Classifier, module: dict[str, Any], level: float) -> dict[str, Any]:
    population = get_population(place, classifier, "calibration")
    groups = population.groups(place.group_size(100))

    def rate_at(scale: float) -> float:
        noise = instantiate(module, scale=scale)
        wrong = 0
        for batch in groups:
            raise_if_stopped()
            noisy = noise.perturb(batch["image"].to(place.device), batch["sample_id"].to(place.device))
            changed = classifier(quantise(noisy)).argmax(1).cpu() != batch["prediction"]
            wrong += int(changed[batch["valid"]].sum())
        return wrong / len(population.rows)

    return calibrate(rate_at, level, len(population.rows))._asdict()
