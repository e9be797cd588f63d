"""The configured probe, and the images that it makes for one interpreter to be measured on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import Groups, Population, shown_classes
from benchmark.interpreters.base import BaseInterpreter
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import get_interpreter
from benchmark.pipeline.artefacts.noise_scale import get_noise_scale
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.artefacts.probed_images import get_probed_images
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.preflight import check_attackable
from benchmark.pipeline.soundness.before_attack import (
    Facts,
    first_images,
    map_gradient_flags,
    repeat_flags,
    surrogate_check,
    uncounted,
)
from benchmark.pipeline.soundness.comparisons import comparison_check
from benchmark.probes.goal_attack import GoalAttack
from benchmark.types import Classifier, Probe


@dataclass(frozen=True)
class PerturbedSamples:
    """The groups to measure, benign images beside perturbed ones, and what the record says of the perturbation."""

    groups: Groups
    facts: Facts
    flags: list[str] = field(default_factory=list)


def perturb(ctx: RunContext, interpreter: BaseInterpreter, correct_samples: Population) -> PerturbedSamples:
    """Perturbs the first ``probe.samples`` of the samples; without a probe they are left as they are.

    The probe attacks the measured interpreter, or ``probe.source`` and ``probe.surrogate`` where these are set. Of a
    surrogate classifier's samples those are measured that the measured classifier gets right too.
    """
    settings = ctx.config["probe"]
    samples = correct_samples.first(settings["samples"])
    if settings["module"] is None:
        return PerturbedSamples(samples.groups(settings["batch_size"]), {})
    source_ctx = ctx.for_source()
    source_classifier: Classifier = interpreter.classifier
    source_samples, source_interpreter = samples, interpreter
    if settings["surrogate"] is not None:
        source_classifier = get_classifier(source_ctx)
        source_samples = get_correct_samples(source_ctx, source_classifier, ctx.config["split"])
        source_samples = source_samples.first(settings["samples"])
        samples = correct_samples.among(source_samples)
    if source_ctx is not ctx:
        source_interpreter = get_interpreter(source_ctx, source_classifier)
    check_attackable(source_ctx.config, source_interpreter)
    probe, facts = get_probe(source_ctx, source_classifier)
    flags = _flags(ctx, interpreter, samples, needs_map=False)
    if source_ctx is not ctx or probe.needs_map:
        flags += _flags(source_ctx, source_interpreter, source_samples, needs_map=probe.needs_map)
    if probe.needs_map:
        more_facts, more_flags = surrogate_check(source_interpreter, source_samples, settings["batch_size"])
        facts, flags = facts | more_facts, flags + more_flags
    own = source_ctx is ctx
    groups = get_probed_images(source_ctx, source_interpreter, source_samples, probe, samples, goal_maps=own)
    if isinstance(probe, GoalAttack):
        with ctx.timed("comparisons"):
            more_facts, more_flags = comparison_check(
                source_interpreter, probe, groups.of_the_source()[0], settings.get("epsilon")
            )
        facts, flags = facts | more_facts, flags + more_flags
    return PerturbedSamples(groups, facts, flags)


def _flags(ctx: RunContext, interpreter: BaseInterpreter, samples: Population, *, needs_map: bool) -> list[str]:
    """What a few of the samples show before any attack; see storage/flags.py."""
    image, class_B = first_images(samples, ctx.device)
    with uncounted(interpreter.classifier):
        found = repeat_flags(interpreter, image, class_B)
        return found + (map_gradient_flags(interpreter, image, class_B) if needs_map else [])


def get_probe(ctx: RunContext, classifier: Classifier) -> tuple[Probe, Facts]:
    """The configured probe, and facts about it for the record (noise: its scale and the rate on calibration)."""
    settings = ctx.config["probe"]
    if settings["level"] is None:
        probe: Probe = instantiate(settings["module"])
        if isinstance(probe, GoalAttack) and probe.goal_classes == "trained":
            probe.classes_C = torch.tensor(shown_classes(load_data(ctx.config).split("train")), device=ctx.device)
        return probe, {}
    found = get_noise_scale(ctx, classifier, settings["module"], settings["level"])
    facts = {"noise_scale": found["scale"], "rate_calibration": found["rate"], "n_calibration": found["samples"]}
    return instantiate(settings["module"], scale=found["scale"]), facts
