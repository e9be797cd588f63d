"""The benign spread of an interpreter: how far its maps move under changes that do not matter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import SPREAD_LEVEL, spread_noise
from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics.map_distance import check_places, has_map, l1
from benchmark.metrics.stability import SHIFTS, shifted_distance
from benchmark.pipeline.artefacts.noise_scale import get_noise_scale
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import spread_ref
from benchmark.processes.signals import raise_if_stopped


def get_benign_spread(ctx: RunContext, interpreter: BaseInterpreter) -> float:
    """The larger of two 95th percentiles of the map's L1 on calibration, in [0, 1].

    One is between x and noise that keeps the prediction, the other between x and shifts of +-1 px with the map shifted
    back. Samples whose map is constant have none, and are left out.

    Raises:
        ValueError: maps of fewer than 4 x 4 places, or constant ones on every sample.
    """
    metrics = ctx.artefact(spread_ref(ctx.config), lambda folder: _measure(ctx, interpreter)).metrics
    return float(metrics["spread"])


def _measure(ctx: RunContext, interpreter: BaseInterpreter) -> dict[str, Any]:
    classifier, device, settings = interpreter.classifier, ctx.device, spread_noise(ctx.config)
    noise = instantiate(settings, scale=get_noise_scale(ctx, classifier, settings, SPREAD_LEVEL)["scale"])
    population = get_correct_samples(ctx, classifier, "calibration").first(ctx.config["measure"]["spread_samples"])
    by_noise: list[Tensor] = []
    by_shift: list[Tensor] = []
    for batch in population.groups(ctx.group_size(100)):
        raise_if_stopped()
        image, class_B, valid = (batch[key].to(device) for key in ("image", "prediction", "valid"))
        benign = interpreter(image, class_B).detach()
        check_places(benign.shape[1], benign.shape[2])
        valid = valid & has_map(benign)
        noisy = noise.perturb(image, batch["sample_id"].to(device))
        with torch.no_grad():
            same = (classifier(noisy).argmax(1) == class_B) & valid
        by_noise.append(l1(benign, interpreter(noisy, class_B).detach())[same].cpu())
        by_shift.append(shifted_distance(interpreter, image, class_B, benign)[:, valid].flatten().cpu())
    noise_N, shift_N = torch.cat(by_noise), torch.cat(by_shift)
    if not len(shift_N):
        raise ValueError(
            f"interpreter={ctx.config['interpreter']['name']} gives all {len(population.rows)} calibration images a "
            "constant map, which says nothing about any place: train it longer (interpreter.stages.*.steps), or "
            "check the weights of interpreter and classifier (saturated or dead units)"
        )
    if not len(noise_N):
        raise ValueError(
            f"noise of the {100 * SPREAD_LEVEL:g} % level keeps the prediction of none of the {len(population.rows)} "
            "calibration images, so that there is no benign spread: raise measure.spread_samples"
        )
    noise_95 = torch.quantile(noise_N, 0.95)
    shift_95 = torch.quantile(shift_N, 0.95)
    return {
        "spread": float(max(noise_95, shift_95)),
        "noise": float(noise_95),
        "shift": float(shift_95),
        "samples": len(population.rows),
        "samples_without_map": len(population.rows) - len(shift_N) // len(SHIFTS),
    }
