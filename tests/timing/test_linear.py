"""An attack's work grows with its steps and images and with nothing else, and what it holds with its images alone."""

from __future__ import annotations

import gc

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.probes import attack as attack_module
from benchmark.probes import auto_attack
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
        self.operations += 1
        self.numbers += sum(
            each.numel()
            for each in (found if isinstance(found, tuple | list) else [found])
            if isinstance(each, torch.Tensor)
        )
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


@ATTACKS
def test_what_is_held_between_two_steps_does_not_grow(attack, monkeypatch):
    held = []

    class Watching:
        def put_back(self, *args, **parts):
            """Nothing was kept."""

        def step(self, *args, **parts):
            tensors = [each for each in gc.get_objects() if type(each) in (torch.Tensor, torch.nn.Parameter)]
            held.append((len(tensors), sum(each.numel() for each in tensors)))

    for module in (attack_module, auto_attack):
        monkeypatch.setattr(module, "UnderWay", Watching)
    run(attack, 12, 4)
    assert len(held) == 12
    assert len(set(held[4:])) == 1, held
