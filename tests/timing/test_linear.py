"""An attack's work grows with its steps and its images, and with nothing else; what it holds does not grow."""

from __future__ import annotations

import weakref

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
    """Counts operations and the numbers that they give, and knows which of these are still held."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.numbers = 0
        self.given: list[weakref.ref[torch.Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        given = [each for each in (found if isinstance(found, tuple | list) else [found]) if torch.is_tensor(each)]
        self.operations += 1
        self.numbers += sum(each.numel() for each in given)
        self.given += [weakref.ref(each) for each in given]
        return found

    def held(self) -> int:
        """Numbers in tensors that are not freed yet; one that is written in place is given more than once."""
        self.given = [each for each in self.given if each() is not None]
        return sum({id(each): each.numel() for ref in self.given if (each := ref()) is not None}.values())


def run(attack, steps, images, work=None):
    interpreter = Green(Linear())
    image = torch.rand(images, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    goal = Goal(torch.arange(images) % 3, torch.rand(images, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    with work or Work() as work:
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
    held, work, images = [], Work(), 4

    class Watching:
        def put_back(self, *args, **parts):
            """Nothing was kept."""

        def step(self, *args, **parts):
            held.append(work.held())

    for module in (attack_module, auto_attack):
        monkeypatch.setattr(module, "UnderWay", Watching)
    run(attack, 12, images, work)
    assert len(held) == 12
    assert max(held[3:]) <= held[3] + images, "the loss before the last tenth of the steps, and no more"
