"""How well the maps of one model stand up to attacks: the measures of a cell, for images that are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.api.attacks import EPSILON, Attack, Named, group_size, make_probe, perturbed
from benchmark.api.inputs import Labels, checked_ids, checked_images, checked_labels, checked_model
from benchmark.api.measures import (
    Columns,
    clean_columns,
    harmless_noise,
    probed_columns,
    spread_of,
    table,
    with_numbers,
)
from benchmark.api.methods import Method, left_alone, make_interpreter
from benchmark.api.parts import options_of
from benchmark.api.result import Result
from benchmark.api.samples import population_of
from benchmark.data.groups import Population
from benchmark.pipeline.soundness.attack_account import account_check
from benchmark.pipeline.soundness.before_attack import (
    first_images,
    map_gradient_flags,
    repeat_flags,
    surrogate_check,
)
from benchmark.pipeline.soundness.comparisons import comparison_check
from benchmark.pipeline.soundness.map_account import map_flags
from benchmark.probes.goal_attack import GoalAttack
from benchmark.storage.flags import ordered
from benchmark.storage.records import Record
from benchmark.types import Batch, Classifier, Interpreter

BLUR = 11 / 224  # sigma of the blur in sides of the image, as conf/_photographs.yaml has it
Attacks = Sequence[Attack] | Mapping[str, Attack]
Calibration = tuple[Tensor, Labels] | tuple[Tensor, Labels, Labels]


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Labels,
    method: Method = "gradcam",
    attacks: Attacks = ("pgd", "adv2_auto"),
    epsilon: float | None = EPSILON,
    *,
    calibration: Calibration | None = None,
    sources: Labels | None = None,
    ids: Labels | None = None,
    seed: int = 0,
    batch_size: int = 100,
    blur: float | None = None,
    method_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Clean and under every attack: faithfulness, success, distance of the maps, joint success, flags, 95 % intervals.

    Measured on the images that the model gets right. Joint success: the class is reached and the map lies within the
    method's own benign spread, which is the larger of two 95th percentiles of its distance under changes that do not
    matter (noise that keeps the prediction, shifts by a pixel). The numbers are those of a cell of the benchmark on the
    same images, ids and groups. The model is left as it was.

    Args:
        model, images, labels, method, epsilon, seed, ids, batch_size, method_options: as in ``attack``.
        attacks: as ``attack`` of the function of that name, several; or {name: attack}.
        calibration: (images, labels) or (images, labels, ids) that the benign spread is taken from; None takes the
            images themselves. Thirty images or more make it mean something.
        sources: what each image was made from (B,); intervals resample these. None: each image is its own.
        blur: sigma in pixels of the blur that deletion leaves and insertion starts from; None takes 11/224 of the side.
        options: of the attacks, each for those that have it (passes, steps, targeted, ...).
    Raises:
        ValueError: as ``attack``; or no image that the model gets right, an option that no attack has, a blur that is
            not above 0 or not below a quarter of the side.
    """
    image_BCHW = checked_images(images)
    checked = checked_model(model, image_BCHW)
    side = image_BCHW.shape[-1]
    sigma = BLUR * side if blur is None else blur
    if not 0 < sigma < side / 4:
        raise ValueError(f"blur is a sigma in pixels, above 0 and below a quarter of the side of {side}, got {blur!r}")
    named = _named(attacks, method, epsilon, seed, options)
    device, count = image_BCHW.device, len(image_BCHW)
    id_B, source_B = checked_ids(ids, count, "ids"), checked_ids(sources, count, "sources")
    label_B = checked_labels(labels, count, checked.num_classes, device)
    with left_alone(checked):
        interpreter = make_interpreter(checked, method, image_BCHW.shape[-1], **dict(method_options or {}))
        _check_attackable(interpreter, named)
        predicted_B = _predictions(checked, image_BCHW, batch_size)
        population = population_of(image_BCHW, label_B, predicted_B, id_B, source_B)
        known = population if calibration is None else _calibration(checked, calibration, batch_size)
        noise = harmless_noise(checked, known, group_size(len(known.rows), batch_size), device)
        spread = spread_of(interpreter, known, noise, group_size(len(known.rows), batch_size), device)
        size = group_size(len(population.rows), batch_size)
        groups = [_on(batch, device) for batch in population.groups(size)]
        clean = table(
            [with_numbers(batch, clean_columns(checked, interpreter, batch, noise, sigma)) for batch in groups]
        )
        facts = {
            "accuracy": population.accuracy,
            "benign_spread": spread["spread"],
            "noise_scale": noise.scale,
            **{name: spread[name] for name in ("alarm_threshold_5", "alarm_threshold_1")},
        }
        records = {"clean": _record("clean", clean, facts, None, needs_map=False)}
        adversarial: dict[str, Tensor] = {}
        for each in named:
            columns, made, first = _attacked(interpreter, each, groups, spread["spread"])
            samples = table(columns)
            found = _flags(interpreter, each, population, size, first)
            found += account_check(samples, needs_map=each.probe.needs_map)[1] + map_flags(samples)
            adversarial[each.name] = made
            records[each.name] = _record(each.name, samples, facts, ordered(found), needs_map=each.probe.needs_map)
    right = (predicted_B == label_B).cpu().numpy()
    return Result(_method_name(method), records, adversarial, right, source_B.numpy())


def _named(
    attacks: Attacks, method: Method, epsilon: float | None, seed: int, options: Mapping[str, Any]
) -> list[Named]:
    pairs = list(attacks.items()) if isinstance(attacks, Mapping) else [(None, each) for each in attacks]
    if isinstance(attacks, str) or not pairs:
        raise ValueError(f"attacks is a list of attacks, such as ['pgd', 'adv2_auto'], got {attacks!r}")
    found, used = [], set()
    for name, each in pairs:
        own = {}
        if isinstance(each, str):
            keys = [*(options_of("probe", each) if each in _known() else ()), "scale"]
            own = {key: value for key, value in options.items() if key in keys}
            used |= set(own)
        made = make_probe(each, method, epsilon=epsilon, seed=seed, options=own)
        found.append(made if name is None else Named(name, made.probe, made.epsilon))
    if unknown := [key for key in options if key not in used]:
        raise ValueError(f"no attack among {[each.name for each in found]} has an option {unknown[0]!r}")
    names = [each.name for each in found]
    if len(set(names)) < len(names) or "clean" in names or "strongest" in names:
        raise ValueError(f"attacks need names of their own, got {names}: give them as {{name: attack}}")
    return found


def _known() -> list[str]:
    from benchmark.api.parts import names

    return names("probe")


def _check_attackable(interpreter: Interpreter, named: Sequence[Named]) -> None:
    for each in named:
        if each.probe.needs_map and not interpreter.differentiable:
            raise ValueError(
                f"the maps of {type(interpreter).__name__} have no gradient, so that {each.name} cannot attack them: "
                "measure them under attacks that read no maps, attacks=['pgd']"
            )


@torch.no_grad()
def _predictions(classifier: Classifier, image_BCHW: Tensor, batch_size: int) -> Tensor:
    return torch.cat([classifier(part).argmax(1) for part in image_BCHW.split(group_size(len(image_BCHW), batch_size))])


def _calibration(classifier: Classifier, calibration: Calibration, batch_size: int) -> Population:
    image_BCHW = checked_images(calibration[0], "the calibration images")
    id_B = checked_ids(calibration[2] if len(calibration) == 3 else None, len(image_BCHW), "the calibration ids")
    label_B = checked_labels(
        calibration[1], len(image_BCHW), classifier.num_classes, image_BCHW.device, "the calibration labels"
    )
    return population_of(image_BCHW, label_B, _predictions(classifier, image_BCHW, batch_size), id_B, id_B)


def _on(batch: Batch, device: torch.device) -> Batch:
    return {name: value.to(device) for name, value in batch.items()}  # type: ignore[attr-defined,return-value]


def _attacked(
    interpreter: Interpreter, named: Named, groups: Sequence[Batch], spread: float
) -> tuple[list[Columns], Tensor, Batch]:
    """Columns of every group, all perturbed images in the order of the rows, and the first group with its images."""
    found, images, first = [], [], None
    for batch in groups:
        made = perturbed(named.probe, interpreter, batch, batch["image"].device)
        probed, columns = probed_columns(interpreter, batch, made, spread)
        found.append(with_numbers(batch, columns))
        images.append(probed)
        if first is None:
            first = Batch(**batch, probed=probed, goal=made.goal_B, attack=dict(made.facts))
            if made.goal_Bhw is not None:
                first["goal_map"] = made.goal_Bhw.detach()
    assert first is not None
    return found, torch.cat(images), first


def _flags(interpreter: Interpreter, named: Named, population: Population, size: int, first: Batch) -> list[str]:
    """Why an attack is no evidence of robustness, by what a few samples show (``benchmark/storage/flags.py``)."""
    image, class_B = first_images(population, first["image"].device)
    found = repeat_flags(interpreter, image, class_B)
    if named.probe.needs_map:
        found += map_gradient_flags(interpreter, image, class_B)
        found += surrogate_check(interpreter, population, size)[1]
    if isinstance(named.probe, GoalAttack):
        found += comparison_check(interpreter, named.probe, first, named.epsilon)[1]
    return found


def _record(name: str, samples: Any, facts: dict[str, float], flags: list[str] | None, *, needs_map: bool) -> Record:
    """The rows as the report's functions take them; nothing of it is on disk."""
    cell = {
        "probe": name,
        "seed": 0,
        "flags": flags,
        "facts": facts,
        "config": {"probe": {"needs_map": needs_map}},
        "status": "done",
    }
    record = Record(Path(), cell)
    vars(record).update(samples=samples, curves=None, images={}, maps={})
    return record


def _method_name(method: Method) -> str:
    return method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)
