"""The benign spread of an interpreter: how far its maps move under changes that do not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import SPREAD_LEVEL, spread_noise
from benchmark.data.groups import Population
from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics.map_distance import check_places, has_map
from benchmark.metrics.object_evidence import BOX_THRESHOLDS, DEFAULT_BOX_THRESHOLD, box_iou_by_threshold
from benchmark.metrics.stability import noise_distance, shifted_distance
from benchmark.pipeline.artefacts.noise_scale import get_noise_scale
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.soundness.before_attack import first_images, uncounted
from benchmark.planning.required_artefacts import spread_ref
from benchmark.probes.noise import Noise
from benchmark.processes.progress import Progress
from benchmark.processes.signals import raise_if_stopped
from benchmark.types import Batch, Classifier


@dataclass(frozen=True)
class BenignSpread:
    """Distances of maps under changes that do not matter, L1 on calibration, each in [0, 1].

    spread: the larger of two 95th percentiles. One is between x and noise that keeps the prediction, the other between
    x and shifts of +-1 px with the map shifted back.
    alarm_threshold_5, alarm_threshold_1: the 95 % and the 99 % quantile of the harmless distances pooled, which are one
    under noise and one under shifts, the largest of the four, a sample. An alarm above them raises 5 % and 1 % of false
    alarms on harmless pairs.
    box_threshold: the share of a map's range at which its box fits those of n_boxes calibration objects best, in the
    mean; 0.5 where the split has no boxes.
    """

    spread: float
    alarm_threshold_5: float
    alarm_threshold_1: float
    box_threshold: float = DEFAULT_BOX_THRESHOLD
    n_boxes: int = 0

    @property
    def facts(self) -> dict[str, float | str]:
        """What every record says of them."""
        thresholds = {"alarm_threshold_5": self.alarm_threshold_5, "alarm_threshold_1": self.alarm_threshold_1}
        return {"benign_spread": self.spread, **thresholds}


def get_benign_spread(ctx: RunContext, interpreter: BaseInterpreter) -> BenignSpread:
    """The benign spread of an interpreter. Samples whose map is constant have none, and are left out.

    Raises:
        ValueError: maps of fewer than 4 x 4 places, or constant ones on every sample.
    """
    metrics = ctx.artefact(spread_ref(ctx.config), lambda folder: _measure(ctx, interpreter)).metrics
    spread, alarm_5, alarm_1 = (float(metrics[name]) for name in ("spread", "alarm_threshold_5", "alarm_threshold_1"))
    return BenignSpread(
        spread, alarm_5, alarm_1, **{name: metrics[name] for name in ("box_threshold", "n_boxes") if name in metrics}
    )


def check_benign_maps(ctx: RunContext, interpreter: BaseInterpreter, samples: Population) -> None:
    """Raises before anything is attacked what :func:`get_benign_spread` would raise after it.

    A few of the attacked samples are looked at; where all of their maps are constant the spread is measured at once.
    """
    image, class_B = first_images(samples, ctx.device)
    with uncounted(interpreter.classifier):
        benign = interpreter(image, class_B).detach()
        check_places(benign.shape[1], benign.shape[2])
        if not has_map(benign).any():
            get_benign_spread(ctx, interpreter)


def get_harmless_noise(ctx: RunContext, classifier: Classifier) -> Noise:
    """The noise of the benign spread: normal, at the scale of the 3 % level on calibration."""
    settings = spread_noise(ctx.config)
    scale = get_noise_scale(ctx, classifier, settings, SPREAD_LEVEL)["scale"]
    noise: Noise = instantiate(settings, scale=scale)
    return noise


def _measure(ctx: RunContext, interpreter: BaseInterpreter) -> dict[str, Any]:
    classifier = interpreter.classifier
    noise = get_harmless_noise(ctx, classifier)
    population = get_correct_samples(ctx, classifier, "calibration").first(ctx.config["measure"]["spread_samples"])
    by_noise: list[Tensor] = []
    by_shift: list[Tensor] = []
    by_box: list[Tensor] = []
    groups = population.groups(ctx.group_size(100))
    with Progress(f"benign spread of {ctx.config['interpreter']['name']}", "groups", len(groups)) as progress:
        for batch in groups:
            raise_if_stopped()
            _measure_group(interpreter, noise, batch, ctx.device, by_noise, by_shift, by_box)
            progress.advance()
    noise_N, shift_SN = torch.cat(by_noise), torch.cat(by_shift, dim=1)
    noise_N = noise_N[~noise_N.isnan()]
    if not shift_SN.numel():
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
    return {
        **fitting_threshold(by_box),
        **quantiles(noise_N, shift_SN),
        "samples": len(population.rows),
        "samples_without_map": len(population.rows) - shift_SN.shape[1],
    }


def _measure_group(
    interpreter: BaseInterpreter,
    noise: Noise,
    batch: Batch,
    device: torch.device,
    by_noise: list[Tensor],
    by_shift: list[Tensor],
    by_box: list[Tensor],
) -> None:
    """Adds the distances of one group, (B,) under noise and (S, B) under shifts, and box IoUs by threshold, (T, B)."""
    image, class_B = batch["image"].to(device), batch["prediction"].to(device)
    benign = interpreter(image, class_B).detach()
    check_places(benign.shape[1], benign.shape[2])
    present_B = has_map(benign)
    noisy = noise.perturb(image, batch["sample_id"].to(device))
    by_noise.append(noise_distance(interpreter, noisy, class_B, benign)[present_B].cpu())
    by_shift.append(shifted_distance(interpreter, image, class_B, benign)[:, present_B].cpu())
    if "box" in batch:
        size = (image.shape[-2], image.shape[-1])
        by_box.append(box_iou_by_threshold(benign, batch["box"].to(device), size)[:, present_B].cpu())


def fitting_threshold(iou_TB: list[Tensor]) -> dict[str, Any]:
    """The threshold with the largest mean box IoU, the first of equal ones; nothing where no image has a box."""
    iou_TN = torch.cat(iou_TB, dim=1) if iou_TB else torch.zeros(len(BOX_THRESHOLDS), 0)
    iou_TN = iou_TN[:, ~iou_TN.isnan().any(0)]
    if not iou_TN.shape[1]:
        return {}
    return {"box_threshold": BOX_THRESHOLDS[int(iou_TN.mean(1).argmax())], "n_boxes": iou_TN.shape[1]}


def quantiles(noise_N: Tensor, shift_SN: Tensor) -> dict[str, float]:
    """The benign spread and the alarm's thresholds, from distances under noise (N,) and under S shifts (S, N)."""
    noise_95, shift_95 = float(torch.quantile(noise_N, 0.95)), float(torch.quantile(shift_SN, 0.95))
    pooled_N = torch.cat([noise_N, shift_SN.amax(0)])
    return {
        "spread": max(noise_95, shift_95),
        "noise": noise_95,
        "shift": shift_95,
        "alarm_threshold_5": float(torch.quantile(pooled_N, 0.95)),
        "alarm_threshold_1": float(torch.quantile(pooled_N, 0.99)),
    }
