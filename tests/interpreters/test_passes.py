"""Passes of the classifier for a map, and for a step of an attack on it, counted against each method's formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.cam import CAM, GradCAM
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.guided import GuidedBackprop
from benchmark.interpreters.kept_for_backward import kept_for_backward, kept_of_an_image
from benchmark.interpreters.mask import Mask
from benchmark.interpreters.rise import RISE
from benchmark.interpreters.rts import RTS
from benchmark.numerics.modules import freeze

COUNT, SIDE = 2, 32
CLASSES = torch.tensor([0, 2])
S = 3  # points of a path, noisy copies
STEPS, WARM, TRACKED = 6, 2, 3  # of MASK
MASKS = 10  # of RISE

# Passes forward and backward, an image. A map that is a gradient takes a pass of its own beside that of the logits, and
# the attack's gradient goes back through both directions of it.
MADE = {
    "cam": (CAM, {}, {"map": (1, 0), "step": (1, 1)}),
    "gradcam": (GradCAM, {}, {"map": (1, 0), "step": (1, 1)}),
    "gradcam_general": (GradCAM, {"closed_form": False}, {"map": (1, 0), "step": (1, 1)}),
    "gradcam_pp": (GradCAM, {"plus_plus": True}, {"map": (1, 0), "step": (1, 1)}),
    "rts": (RTS, {"width": 8}, {"map": (1, 0), "step": (1, 1)}),
    "grad": (Gradient, {}, {"map": (1, 1), "step": (2, 3)}),
    "smoothgrad": (Gradient, {"kind": "smoothgrad", "samples": S}, {"map": (S, S), "step": (1 + S, 1 + 2 * S)}),
    "integrated": (Gradient, {"kind": "integrated", "samples": S}, {"map": (S, S), "step": (1 + S, 1 + 2 * S)}),
    "guided": (GuidedBackprop, {}, {"map": (1, 1), "step": (2, 3)}),
    "mask": (
        Mask,
        {"steps": STEPS, "warm": WARM, "tracked": TRACKED, "cells": 8},
        {"map": (STEPS, STEPS), "step": (1 + WARM + TRACKED + 2, 1 + WARM + 2 * TRACKED)},
    ),
    "rise": (RISE, {"masks": MASKS}, {"map": (MASKS, 0)}),
}


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    options = {"channels": (8, 12, 16, 24), "stem_width": 8}
    return freeze(TimmClassifier(name="resnet10t", num_classes=4, options=options))


@pytest.fixture(params=MADE)
def case(request, classifier):
    kind, options, passes = MADE[request.param]
    return freeze(kind(classifier=classifier, image_size=SIDE, **options)), passes


@pytest.fixture
def image():
    return torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def counted(classifier, work) -> tuple[float, float]:
    before = dict(classifier.passes)
    work()
    forward, backward = ((classifier.passes[key] - before[key]) / COUNT for key in ("forward", "backward"))
    return forward, backward


def test_a_map_takes_the_passes_of_its_formula(classifier, case, image):
    interpreter, passes = case
    assert counted(classifier, lambda: interpreter(image, CLASSES)) == passes["map"]


def test_a_step_of_an_attack_takes_the_passes_of_its_formula(classifier, case, image):
    """The second step: MASK's first one searches for its masks from the start."""
    interpreter, passes = case
    if "step" not in passes:
        assert not interpreter.differentiable
        return
    attacked = interpreter.surrogate().warm_started()
    point = image.requires_grad_()

    def step() -> None:
        seen = attacked.explanation(point, CLASSES)
        torch.autograd.grad(seen.logits_BK.sum() + seen.map_Bhw.square().sum(), point)

    step()
    assert counted(classifier, step) == passes["step"]


@pytest.mark.parametrize("kind", ["smoothgrad", "integrated"])
@pytest.mark.parametrize("differentiable", [False, True])
def test_points_that_are_passed_together_give_the_map_of_one_after_the_other(
    classifier, monkeypatch, kind, differentiable, image
):
    interpreter = Gradient(classifier=classifier, image_size=SIDE, kind=kind, samples=5)
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_IMAGES", 0)
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_BYTES", 0)
    image.requires_grad_(differentiable)
    sizes = []
    forward = classifier.forward
    monkeypatch.setattr(classifier, "forward", lambda image: sizes.append(len(image)) or forward(image))
    maps = []
    for pixels in (0, 4 * SIDE**2, 100 * SIDE**2):
        monkeypatch.setattr("benchmark.interpreters.gradient.PASS_PIXELS", pixels)
        maps.append(interpreter(image, CLASSES))
    assert sizes == [COUNT] * 5 + [2 * COUNT, 2 * COUNT, COUNT] + [5 * COUNT]
    for each in maps[1:]:
        torch.testing.assert_close(each, maps[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("differentiable", "sizes"), [(False, [3, 2]), (True, [1, 1, 1, 1, 1])])
def test_points_are_passed_together_by_what_a_pass_keeps(classifier, monkeypatch, differentiable, sizes, image):
    """Three points' worth; where the map has a gradient every pass is kept anyway."""
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_IMAGES", 0)
    interpreter = Gradient(classifier=classifier, image_size=SIDE, kind="integrated", samples=5)
    image.requires_grad_(differentiable)
    with kept_for_backward() as kept:
        classifier(image.detach().clone().requires_grad_()).sum().backward()
    seen = []
    forward = classifier.forward
    monkeypatch.setattr(classifier, "forward", lambda image: seen.append(len(image) // COUNT) or forward(image))
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_PIXELS", 0)
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_BYTES", int(3.5 * sum(kept.values())))
    interpreter(image, CLASSES)
    assert seen == sizes


def test_attacked_maps_of_few_large_images_take_16_images_a_pass(classifier, monkeypatch, image):
    interpreter = Gradient(classifier=classifier, image_size=SIDE, kind="smoothgrad", samples=9)
    seen = []
    forward = classifier.forward
    monkeypatch.setattr(classifier, "forward", lambda image: seen.append(len(image)) or forward(image))
    monkeypatch.setattr("benchmark.interpreters.gradient.PASS_PIXELS", 0)
    interpreter(image.requires_grad_(), CLASSES)
    assert seen == [16, 2]


def test_what_an_image_keeps_is_counted_without_weights():
    linear = freeze(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 4)))
    assert kept_of_an_image(linear, SIDE) == 0, "weights are there anyway"
    assert kept_of_an_image(freeze(nn.Sequential(linear, nn.Sigmoid())), SIDE) == 4 * 4, "a sigmoid keeps what it gives"
    path = Gradient(classifier=linear, image_size=SIDE, kind="integrated", samples=2)
    weight = linear[1].weight.view(4, 3, SIDE, SIDE)
    torch.testing.assert_close(path.attribution(torch.ones(2, 3, SIDE, SIDE), CLASSES), weight[CLASSES])


def test_what_a_pass_keeps_is_counted_once_and_without_weights():
    layer = freeze(nn.Linear(8, 5, bias=False))
    point = torch.ones(2, 8, requires_grad=True)
    with kept_for_backward() as kept:
        value = layer(point)  # keeps its weights, which it has anyway
        assert not kept
        (value.exp() + value * value).sum().backward()
    assert sum(kept.values()) == 4 * (2 * 5 + 2 * 5), "exp keeps what it gives, the product what it takes, once"
    assert point.grad is not None
