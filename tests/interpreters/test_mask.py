"""MASK: a hand-made net whose class lives in one corner, warm starts, and what each sample accepts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.interpreters.mask import Mask
from benchmark.numerics.adam import Adam
from benchmark.objectives.deletion import deletion_objective, rough_power
from benchmark.probes.observer import Observer
from benchmark.types import Goal


class Corner(nn.Module):
    """Class 1 wins by how rough the upper left quarter is, and nothing else matters."""

    num_classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, image_BCHW):
        corner = image_BCHW[:, :, :8, :8]
        rough = corner.diff(dim=2).square().mean((1, 2, 3)) + corner.diff(dim=3).square().mean((1, 2, 3))
        logit = self.scale * (rough - 0.05)
        return torch.stack([-logit, logit], 1)


@pytest.fixture
def image():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def make(**options):
    settings = {"cells": 8, "steps": 60, "blur": 2.0, "area": 0.1, "smoothness": 0.05} | options
    return Mask(classifier=Corner(), image_size=16, **settings)


def test_the_corner_is_found(image):
    """Planted: only deleting the upper left quarter loses the class."""
    found = make()(image, torch.ones(2, dtype=torch.long))
    inside, outside = found[:, :3, :3].mean(), found[:, 5:, 5:].mean()
    assert inside > 0.8 and outside < 0.3


def test_objective_by_hand():
    mask = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    assert rough_power(mask, 2.0).item() == pytest.approx((0.25 + 0.25 + 1.0 + 0.0) / 4)
    logits = torch.tensor([[0.0, 0.0, 0.0]])
    value = deletion_objective(logits, mask, torch.tensor([1]), area=0.3, smoothness=2.0, power=2.0)
    assert value.item() == pytest.approx(1 / 3 + 0.3 * 0.5 + 2.0 * 0.375)


def test_warm_starts_go_on_where_they_were(image):
    mask, classes = make(steps=20), torch.ones(2, dtype=torch.long)
    warm = mask.warm_started()
    first = warm(image, classes)
    theta = mask.descend(mask.initial(image), image, classes, 20)
    torch.testing.assert_close(first, mask.descend(theta, image, classes, 8).sigmoid())
    second = warm(image, classes)
    expected = mask.descend(torch.logit(first), image, classes, 8).sigmoid()
    torch.testing.assert_close(second, expected, rtol=1e-3, atol=1e-4)


def test_the_gradient_that_an_attack_meets_against_finite_differences(image):
    """Through the last steps from the mask before, which is where it is whatever the image."""
    mask, classes = make(steps=20, warm=0, tracked=4).double(), torch.ones(2, dtype=torch.long)
    image = image.double()
    start = mask.descend(mask.initial(image), image, classes, 20).detach()
    weight, direction = torch.randn_like(start), torch.randn_like(image)

    def value(at):
        warm = mask.warm_started()
        warm.theta_Bhw = start
        return (weight * warm(at, classes)).sum()

    point = image.requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    step = 1e-6
    numeric = (value(point + step * direction) - value(point - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-3)
    assert gradient.abs().max() > 0


def test_every_sample_accepts_for_itself(image):
    """Steps far too long make one mask worse; it keeps its old one, whatever its neighbour does."""
    mask = make(steps=40)
    classes = torch.tensor([1, 0])  # class 0 is hardly there: its best mask deletes nothing
    warm = mask.warm_started()
    warm.theta_Bhw = torch.stack([torch.zeros(8, 8), torch.full((8, 8), -40.0)])
    before = warm.theta_Bhw.clone()
    mask.lr = 30.0
    warm(image, classes)
    for row in range(2):
        one = slice(row, row + 1)
        alone = mask.warm_started()
        alone.theta_Bhw = before[one]
        alone(image[one], classes[one])
        torch.testing.assert_close(alone.theta_Bhw, warm.theta_Bhw[one], rtol=1e-3, atol=1e-2)
    kept = [torch.equal(warm.theta_Bhw[row], before[row]) for row in range(2)]
    assert kept == [False, True]


def test_an_attack_gets_a_memory_of_its_own(image):
    mask = make(steps=8)
    goal = Goal(torch.ones(2, dtype=torch.long), None)
    one, other = (Observer(mask, image, goal) for _ in range(2))
    one(image, True)
    assert one.interpreter.theta_Bhw is not None and other.interpreter.theta_Bhw is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cells": 1}, "cells"),
        ({"steps": 2, "tracked": 3}, "tracked"),
        ({"tracked": 0}, "tracked"),
        ({"area": -1}, "area"),
        ({"lr": 0}, "lr"),
    ],
)
def test_what_cannot_be_optimised_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        make(**options)


def test_a_step_of_adam_is_differentiable_at_zero():
    slope = torch.zeros(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(Adam(lr=0.1)(torch.ones(3), slope).sum(), slope)
    assert torch.isfinite(gradient).all()
