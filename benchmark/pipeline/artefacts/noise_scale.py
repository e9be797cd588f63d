"""The scale at which a noise causes a misclassification rate, calibrated on the calibration split."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import Config
from benchmark.data.calibration_split import drawn_order
from benchmark.data.groups import Population
from benchmark.numerics.images import quantise
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import scale_ref
from benchmark.probes.noise_calibration import LOOK, calibrate, calibrate_coarse_to_fine
from benchmark.processes.progress import EVERY, Progress
from benchmark.processes.signals import raise_if_stopped
from benchmark.storage.atomic import write_atomic
from benchmark.storage.paths import LOOKS
from benchmark.types import Classifier


def get_noise_scale(ctx: RunContext, classifier: Classifier, noise: Config, level: float) -> dict[str, Any]:
    """``scale``, ``rate``, ``samples`` and ``tolerance`` of a noise that misclassifies ``level`` of calibration.

    Args:
        noise: the node of the noise. level: a misclassification rate in (0, 1).
    """
    ref = scale_ref(ctx.config, noise, level)
    return ctx.artefact(ref, lambda folder: _calibrate(ctx, classifier, noise, level, folder)).metrics


@torch.no_grad()
def _calibrate(ctx: RunContext, classifier: Classifier, noise: Config, level: float, folder: Path) -> dict[str, Any]:
    population, most = get_correct_samples(ctx, classifier, "calibration"), ctx.config["data"].get("scale_images")
    with Progress(f"noise {noise['kind']} of the {100 * level:g} % level", "passes") as progress:
        if most is None:
            looks = _NoiseLooks(ctx, classifier, noise, population, np.arange(len(population.rows)), folder, progress)
            found = calibrate(looks, level)
        else:
            label_N = population.images.label_N[population.rows]
            drawn = drawn_order(label_N, ctx.config["data"]["seed"], "noise scales")[:most]
            looks = _NoiseLooks(ctx, classifier, noise, population, drawn, folder, progress)
            found = calibrate_coarse_to_fine(looks, level)
    (folder / LOOKS).unlink(missing_ok=True)
    return {**found._asdict(), "passes": looks.passes}


class _NoiseLooks:
    """What noise does to some of a population, in the order of ``chosen``, numbers of its rows.

    What was seen is kept in a file of the folder, once a minute and at a stop, so that a calibration that was cut off
    goes on.
    """

    def __init__(
        self,
        ctx: RunContext,
        classifier: Classifier,
        noise: Config,
        population: Population,
        chosen: np.ndarray,
        folder: Path,
        progress: Progress,
    ) -> None:
        self.ctx, self.classifier, self.noise, self.population = ctx, classifier, noise, population
        self.chosen, self.file, self.progress = chosen, folder / LOOKS, progress
        self.count, self.size, self.passes = len(chosen), ctx.group_size(LOOK), 0
        # scale to the number of misclassified among the first 0, 100, 200, ... of the chosen
        self.seen: dict[float, list[int]] = _read(self.file)
        self.written = time.monotonic()

    def wrong(self, scale: float, among: int) -> int:
        """How many of the first ``among``, a multiple of 100 or all, noise of this scale gets wrong."""
        counts = self.seen.setdefault(scale, [0])
        while len(counts) <= -(-among // LOOK):
            self._keep()
            start = LOOK * (len(counts) - 1)
            chosen = self.chosen[start : start + LOOK]
            parts = [chosen[first : first + self.size] for first in range(0, len(chosen), self.size)]
            counts.append(counts[-1] + sum(self._wrong_of(scale, part) for part in parts))
            self.passes += len(chosen)
            rate = counts[-1] / min(start + LOOK, self.count)
            self.progress.advance(len(chosen), f"scale {scale:.4g} misclassifies {rate:.1%}")
        return counts[-(-among // LOOK)]

    def _wrong_of(self, scale: float, chosen: np.ndarray) -> int:
        batch, device = self.population.images.__getitems__(self.population.rows[chosen].tolist()), self.ctx.device
        noise = instantiate(self.noise, scale=scale)
        noisy = quantise(noise.perturb(batch["image"].to(device), batch["sample_id"].to(device)))
        changed = self.classifier(noisy).argmax(1).cpu().numpy() != self.population.prediction[chosen]
        return int(changed.sum())

    def _keep(self) -> None:
        """Writes what was seen where it is time to; raises Stopped after a signal."""
        try:
            raise_if_stopped()
        except BaseException:
            self._write()
            raise
        if time.monotonic() - self.written >= EVERY:
            self._write()

    def _write(self) -> None:
        write_atomic(self.file, json.dumps([[scale, counts] for scale, counts in self.seen.items()]).encode())
        self.written = time.monotonic()


def _read(file: Path) -> dict[float, list[int]]:
    """What was seen before; nothing where there is no such file or it is damaged."""
    try:
        return {float(scale): [int(each) for each in counts] for scale, counts in json.loads(file.read_text())}
    except (OSError, ValueError, TypeError):
        return {}
