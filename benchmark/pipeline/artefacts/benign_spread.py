"""The benign spread of an interpreter: how far its maps move under changes that do not matter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import SPREAD_LEVEL, spread_noise
from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics.map_distance import l1
from benchmark.metrics.stability import shifted_distance
from benchmark.pipeline.artefacts.noise_scale import get_noise_scale
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import spread_ref
from benchmark.processes.signals import raise_if_stopped


def get_benign_spread(ctx: RunContext, interpreter: BaseInterpreter) -> float:
    """The larger of two 95th percentiles of the map's L1 on calibration, in [0, 1].

    One is between x and noise that keeps the prediction, the other between x and shifts of +-1 px with the map shifted
    back.
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
        noisy = noise.perturb(image, batch["sample_id"].to(device))
        with torch.no_grad():
            same = (classifier(noisy).argmax(1) == class_B) & valid
        by_noise.append(l1(benign, interpreter(noisy, class_B).detach())[same].cpu())
        by_shift.append(shifted_distance(interpreter, image, class_B, benign)[:, valid].flatten().cpu())
    noise_95 = torch.quantile(torch.cat(by_noise), 0.95)
    shift_95 = torch.quantile(torch.cat(by_shift), 0.95)
    return {
        "spread": float(max(noise_95, shift_95)),
        "noise": float(noise_95),
        "shift": float(shift_95),
        "samples": len(population.rows),
    }
