"""An attack's work grows with its steps and its images, and with nothing else; that memory does not: test_memory.py."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.auto_attack import AutoAttack
from benchmark.probes.linf_ball import LinfBall
from benchmark.probes.members import Member
from benchmark.types import Goal
from tests.pipeline.tiny import SIDE, Green, Linear

BALL = LinfBall(epsilon=0.1, step_size=0.01, momentum=0.5)
MEMBER = {"name": "adam", "share": 1.0, "rule": "adam", "prediction": "margin", "distance": "l1", "weight": 1.0}
MEMBER |= {"adapts": True, "warmup": 0.0, "start": "image", "first_step": 0.5, "last_step": 0.1}


def pgd(steps):
    return GradientAttack(perturbation=BALL, phases=[Phase(Prediction())], steps=steps)


def adv2(steps):
    return GradientAttack(perturbation=BALL, phases=[Phase(Prediction(), 1), Phase(Joint(weight=5.0))], steps=steps)


def auto(steps):
    return AutoAttack(ball=BALL, passes=steps, members=[Member(**MEMBER)])


ATTACKS = pytest.mark.parametrize("attack", [pgd, adv2, auto])


class Work(TorchDispatchMode):
    """Counts operations, and the numbers that they give."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        given = [each for each in (found if isinstance(found, tuple | list) else [found]) if torch.is_tensor(each)]
        self.operations += 1
        self.numbers += sum(each.numel() for each in given)
        return found


def run(attack, steps, images):
    interpreter = Green(Linear())
    image = torch.rand(images, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    goal = Goal(torch.arange(images) % 3, torch.rand(images, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    with Work() as work:
        attack(steps)(interpreter, image, goal, torch.arange(images))
    return work


@ATTACKS
def test_every_step_takes_the_same_operations(attack):
    five, ten, fifteen = (run(attack, steps, 4).operations for steps in (15, 25, 35))  # looks for NaN at each tenth
    assert fifteen - ten == pytest.approx(ten - five, rel=0.05)


@ATTACKS
def test_every_image_takes_the_same_numbers(attack):
    four, eight, twelve = (run(attack, 5, images) for images in (8, 16, 24))
    assert twelve.operations == pytest.approx(four.operations, rel=0.05), "images go through together"
    assert twelve.numbers - eight.numbers == pytest.approx(eight.numbers - four.numbers, rel=0.05)
