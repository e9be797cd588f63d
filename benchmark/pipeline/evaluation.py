"""How one cell is computed: data -> classifier -> interpreter -> perturbed images -> measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.data.groups import Population
from benchmark.pipeline.artefacts.benign_spread import BenignSpread, check_benign_maps, get_benign_spread
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import get_interpreter
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.measure import Measurements, measure
from benchmark.pipeline.preflight import check_before_training, check_settings
from benchmark.pipeline.probe import perturb
from benchmark.pipeline.soundness.attack_account import account_check
from benchmark.pipeline.soundness.before_attack import Facts, uncounted
from benchmark.pipeline.soundness.map_account import map_flags
from benchmark.processes import ranks
from benchmark.report.statistics.bootstrap import mean
from benchmark.storage.flags import ordered


@dataclass(frozen=True)
class Evaluation:
    """What came of a cell: its measurements, facts beside them, and the images passed forward and backward.

    by_class: of every class of the split (images, those classified right).
    flags: why its probe is no evidence of robustness, or its maps say little (storage/flags.py).
    """

    measurements: Measurements
    facts: Facts
    flags: list[str]
    passes: dict[str, int]
    by_class: Mapping[int, tuple[int, int]]


def evaluate(ctx: RunContext) -> Evaluation:
    """Computes a cell; what is in the store is taken from there, what does not fit fails before any training."""
    check_settings(ctx, load_data(ctx.config))
    check_before_training(ctx)
    classifier = get_classifier(ctx)
    correct_samples = get_correct_samples(ctx, classifier, ctx.config["split"])
    interpreter = get_interpreter(ctx, classifier)
    check_benign_maps(ctx, interpreter, correct_samples)
    before = dict(classifier.passes)
    perturbed = perturb(ctx, interpreter, correct_samples)
    with uncounted(classifier):
        spread = get_benign_spread(ctx, interpreter)  # after the attack: only the measures read it
    with ctx.timed("measure"):
        measurements = measure(ctx, interpreter, spread, perturbed.groups)
    told, flags = account_check(measurements.samples, needs_map=ctx.config["probe"]["needs_map"])
    facts = _facts(ctx, correct_samples, spread, measurements)
    facts |= {**perturbed.facts, **told, **interpreter.details()}
    found = ordered([*flags, *perturbed.flags, *map_flags(measurements.samples)])
    return Evaluation(measurements, facts, found, _passes_since(before, classifier), correct_samples.by_class)


def _facts(ctx: RunContext, correct: Population, spread: BenignSpread, measurements: Measurements) -> Facts:
    """What every record says of the whole cell."""
    accuracy: Facts = {"accuracy": correct.accuracy, "balanced_accuracy": correct.balanced_accuracy}
    facts: Facts = {**accuracy, **spread.facts, "batch_size": ctx.config["probe"]["batch_size"]}
    if "box_iou" in measurements.samples and measurements.samples["box_iou"].notna().any():
        facts |= {"box_threshold": spread.box_threshold, "n_box_threshold": spread.n_boxes}
    return facts | _rate(ctx, measurements) | _null_counts(measurements)


def _rate(ctx: RunContext, measurements: Measurements) -> Facts:
    """The misclassification rate that calibrated noise causes on this split, with its 95 % interval over sources."""
    samples = measurements.samples
    if ctx.config["probe"]["level"] is None or not len(samples):
        return {}
    rate = mean(samples["success"].to_numpy(float), samples["source_id"].to_numpy())
    return {"rate_measured": rate.value, "rate_measured_low": rate.low, "rate_measured_high": rate.high}


def _null_counts(measurements: Measurements) -> Facts:
    """How many samples have a constant benign map, and how many no object IoU, where the cell measures these."""
    samples, counts = measurements.samples, Facts()
    if "has_map" in samples:
        counts["n_without_map"] = int((~samples["has_map"]).sum())
    if "object_iou" in samples:
        counts["n_without_object_iou"] = int(samples["object_iou"].isna().sum())
    if "pointing_game" in samples:
        counts["n_with_object"] = int(samples["pointing_game"].notna().sum())
    return counts


def _passes_since(before: dict[str, int], classifier: TimmClassifier) -> dict[str, int]:
    """Images passed forward and backward since then, over all processes of a distributed run; in the main one."""
    counts = ranks.gather({name: count - before[name] for name, count in classifier.passes.items()})
    return {name: sum(part[name] for part in counts) for name in (counts[0] if counts else {})}
