"""Whether a probe can do its work, by what a few samples show before any attack (benchmark/storage/flags.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from benchmark.data.groups import Population
from benchmark.metrics.map_distance import has_map, l1
from benchmark.numerics import rng
from benchmark.storage.flags import REPEAT_TOLERANCE, SURROGATE_SHARE
from benchmark.types import Classifier, Interpreter

CHECKED = 4  # samples that the checks before an attack take

Facts = dict[str, float | str]


@contextmanager
def uncounted(classifier: Classifier) -> Iterator[None]:
    """The passes inside are left out of the record's counts, which are those of the attack and of the measures."""
    before = dict(classifier.passes)
    try:
        yield
    finally:
        classifier.passes.update(before)


def repeat_flags(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor) -> list[str]:
    """``random_classifier`` and ``random_interpreter``, where two calls on the same images differ."""
    with torch.no_grad():
        logits = [interpreter.classifier(image_BCHW) for _ in range(2)]
    maps = [interpreter(image_BCHW, class_B).detach() for _ in range(2)]
    found = {"random_classifier": _differ(*logits), "random_interpreter": _differ(*maps)}
    return [name for name, differs in found.items() if differs]


def _differ(first: Tensor, second: Tensor) -> bool:
    return bool((first - second).abs().mean() > REPEAT_TOLERANCE * first.abs().mean())


def map_gradient_flags(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor) -> list[str]:
    """``zero_map_gradient``, where the map that an attack differentiates has no slope in the image.

    Raises:
        ValueError: the map is not made from the image by differentiable steps.
    """
    for member in interpreter.members or (interpreter,):
        image = image_BCHW.detach().requires_grad_()
        map_Bhw = member.surrogate().explain(image, class_B).map_Bhw
        weight_Bhw = rng.uniform(rng.sample_keys(0, "map gradient", class_B), *map_Bhw.shape[1:])
        total = (map_Bhw * weight_Bhw).sum()
        slope = torch.autograd.grad(total, image, allow_unused=True)[0] if total.requires_grad else None
        if slope is None:
            raise ValueError(
                f"the maps of {type(member).__name__} have no gradient in the image: a step on the way cuts the graph "
                "(detach, no_grad, numpy); make it differentiable, set its attribute differentiable to False, or use a "
                "probe that needs no maps (noise, pgd)"
            )
        zero_B = (slope == 0).flatten(1).all(1) & has_map(map_Bhw.detach())
        if zero_B.float().mean() > 0.5:
            return ["zero_map_gradient"]
    return []


def surrogate_check(interpreter: Interpreter, population: Population, batch_size: int) -> tuple[Facts, list[str]]:
    """How far the maps that an attack differentiates are from the true ones, on the first group; and ``surrogate_far``.

    The facts are the mean L1 between both, and between the interpreter's maps of different images for comparison. Of an
    ensemble the facts are left out and every member is checked. Nothing where attacks differentiate the true map.
    """
    facts: Facts = {}
    flags: list[str] = []
    for member in interpreter.members or (interpreter,):
        surrogate = member.surrogate()
        if surrogate is member:
            continue
        batch = next(iter(population.groups(batch_size)))
        device = next(member.classifier.parameters()).device
        image, class_B = (batch[name].to(device) for name in ("image", "prediction"))
        true, smooth = (each(image, class_B).detach() for each in (member, surrogate))
        error, other = float(l1(true, smooth).mean()), float(l1(true, true.roll(1, 0)).mean())
        if member is interpreter:
            facts = {"surrogate_map_l1": error, "other_map_l1": other}
        if error > SURROGATE_SHARE * other and len(image) > 1:
            flags.append("surrogate_far")
    return facts, flags


def first_images(population: Population, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images and predictions of the first samples of a population."""
    batch = population.first(CHECKED).groups(CHECKED)[0]
    return batch["image"].to(device), batch["prediction"].to(device)
