"""The scale at which a noise causes a misclassification rate, calibrated on the calibration split."""

from __future__ import annotations

from typing import Any

import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import Config
from benchmark.numerics.images import quantise
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import scale_ref
from benchmark.probes.noise_calibration import calibrate
from benchmark.processes.signals import raise_if_stopped
from benchmark.types import Classifier


def get_noise_scale(ctx: RunContext, classifier: Classifier, noise: Config, level: float) -> dict[str, Any]:
    """``scale``, ``rate``, ``samples`` and ``tolerance`` of a noise that misclassifies ``level`` of calibration.

    Args:
        noise: the node of the noise. level: a misclassification rate in (0, 1).
    """
    ref = scale_ref(ctx.config, noise, level)
    return ctx.artefact(ref, lambda folder: _calibrate(ctx, classifier, noise, level)).metrics


@torch.no_grad()
def _calibrate(ctx: RunContext, classifier: Classifier, noise: Config, level: float) -> dict[str, Any]:
    population = get_correct_samples(ctx, classifier, "calibration")
    groups = population.groups(ctx.group_size(100))

    def rate_at(scale: float) -> float:
        scaled = instantiate(noise, scale=scale)
        wrong = 0
        for batch in groups:
            raise_if_stopped()
            noisy = scaled.perturb(batch["image"].to(ctx.device), batch["sample_id"].to(ctx.device))
            noisy = quantise(noisy)
            wrong += int((classifier(noisy).argmax(1).cpu() != batch["prediction"]).sum())
        return wrong / len(population.rows)

    return calibrate(rate_at, level, len(population.rows))._asdict()
