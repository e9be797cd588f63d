"""What an attack tells about itself, against hand counts and planted failures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.gradient import Gradient
from benchmark.objectives.joint import Joint
from benchmark.objectives.margin import Margin
from benchmark.objectives.prediction import Prediction
from benchmark.probes.account import LossCurve
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.best_iterate import BestIterate
from benchmark.probes.const_search import ConstSearch
from benchmark.probes.goal_attack import GoalAttack, with_rounding
from benchmark.probes.linf_ball import LinfBall
from benchmark.probes.tanh_box import TanhBox
from benchmark.types import Explanation, Goal

COUNT, SIDE, STEPS = 4, 8, 6
BALL = {"epsilon": 16 / 255, "step_size": 4 / 255}


class Linear(nn.Module):
    """Three classes, linear in the pixels; it counts its passes."""

    num_classes = 3

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        weight = torch.randn(3, 3 * SIDE * SIDE, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(scale * weight, requires_grad=False)
        self.passes = {"forward": 0, "backward": 0}

    def forward(self, image_BCHW):
        self.passes["forward"] += len(image_BCHW)
        if image_BCHW.requires_grad:
            image_BCHW.register_hook(
                lambda gradient: self.passes.update(backward=self.passes["backward"] + len(gradient))
            )
        return image_BCHW.flatten(1) @ self.weight.T


class Green(BaseInterpreter):
    """The map is the green channel."""

    def attribution_map(self, image_BCHW, class_B):
        return image_BCHW[:, 1]


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(1)
    return (torch.rand(COUNT, 3, SIDE, SIDE, generator=draw) * 255).round() / 255, torch.arange(COUNT)


def gradient(*phases, **options):
    return GradientAttack(perturbation=LinfBall(**BALL), phases=list(phases), steps=STEPS, **options)


def adv2(weight=1.0):
    return gradient(Phase(Prediction(), 2), Phase(Joint(weight=weight)))


def pgd():
    return gradient(Phase(Prediction()))


def cw(rounds):
    attack = GradientAttack(
        perturbation=TanhBox(lr=0.3), phases=[Phase(Margin(confidence=1.0))], steps=STEPS, keep="size", margin=1.0
    )
    return ConstSearch(attack=attack, rounds=rounds, start=1000.0)


def probed(attack, interpreter, batch, **options):
    image, ids = batch
    prediction = interpreter.classifier(image).argmax(1)
    return GoalAttack(attack=attack, seed=0, **options)(interpreter, image, prediction, ids)


# A pass a step, half for the look at the last iterate where one is chosen, and half for that at the rounded image.
@pytest.mark.parametrize(
    ("attack", "targeted", "passes"),
    [
        (pgd(), True, STEPS + 0.5),
        (adv2(), True, STEPS + 1),
        (pgd(), False, STEPS + 1),
        (cw(3), True, 3 * (STEPS + 0.5) + 0.5),
    ],
    ids=["pgd", "adv2", "untargeted", "three rounds"],
)
def test_passes_are_counted_by_hand(batch, attack, targeted, passes):
    """An untargeted attack looks once before it starts, for the class that it goes to."""
    found = probed(attack, Green(classifier=Linear()), batch, targeted=targeted)
    assert found.facts["passes"].tolist() == [passes] * COUNT


def test_pgd_looks_at_the_image_before_rounding_only_where_the_rounded_one_fails(batch):
    """Two classes that no step within the ball can change, and two that it can."""
    interpreter = Green(classifier=Linear())
    image, ids = batch
    class_B = interpreter.classifier(image).argmax(1)
    interpreter.classifier.passes.update(forward=0, backward=0)
    outcome = pgd()(interpreter, image, Goal((class_B + 1) % 3, None), ids)
    assert interpreter.classifier.passes == {"forward": STEPS * COUNT, "backward": STEPS * COUNT}
    assert outcome.success_B is None
    mixed = torch.where((ids < 2)[:, None, None, None], outcome.image_BCHW, image)
    facts = with_rounding(outcome._replace(image_BCHW=mixed), interpreter.classifier, Goal((class_B + 1) % 3, None))
    assert facts["passes"].tolist() == [STEPS + 0.5] * 2 + [STEPS + 1] * 2
    assert interpreter.classifier.passes["forward"] == STEPS * COUNT + COUNT + 2
    assert not facts["lost_by_rounding"].any()


def test_the_passes_of_the_interpreter_count():
    """GRAD: the true network's logits, and a surrogate that is passed forward and twice backward: two and a half."""
    net = TimmClassifier(name="resnet10t", num_classes=3)
    interpreter = Gradient(classifier=net, image_size=32)
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = dict(net.passes)
    outcome = adv2()(interpreter.surrogate(), image, Goal(torch.tensor([0, 1]), torch.rand(2, 16, 16)), torch.arange(2))
    counted = sum(net.passes.values()) - sum(before.values())
    assert outcome.facts["passes"].tolist() == [counted / 2 / 2] * 2
    assert outcome.facts["passes"][0] > STEPS + 0.5, "the map's own passes are in"


def test_the_fall_of_the_loss_is_of_the_last_tenth():
    given = iter([8.0, 6.0, 7.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 3.0])
    curve = LossCurve(lambda explanation, goal, progress: torch.tensor([next(given), 1.0]), 10)
    for step in range(10):
        curve.update(step, Explanation(torch.zeros(2, 2), torch.zeros(2, 1, 1)), Goal(torch.zeros(2), None), None)
    assert curve.fall_B().tolist() == [(4.0 - 3.0) / 4.0, 0.0]


def test_a_short_attack_still_falls_and_a_stuck_one_does_not(batch):
    interpreter = Green(classifier=Linear(0.01))
    for epsilon, falls in ((16 / 255, True), (0.0, False)):
        ball = LinfBall(epsilon=epsilon, step_size=1 / 255)
        attack = GradientAttack(perturbation=ball, phases=[Phase(Prediction())], steps=STEPS)
        assert ((probed(attack, interpreter, batch).facts["loss_fall"] > 0) == falls).all()


def test_one_step_has_no_fall_of_the_loss_though_its_gradient_is_zero(batch):
    attack = GradientAttack(perturbation=LinfBall(**BALL), phases=[Phase(Prediction())], steps=1)
    facts = probed(attack, Green(classifier=Linear(0.0)), batch).facts
    assert facts["zero_gradient"].tolist() == [1.0] * COUNT
    assert facts["loss_fall"].tolist() == [0.0] * COUNT


class Quantising(Linear):
    """Classes change within less than a level of 8 bit; what is rounded is of class 0."""

    def forward(self, image_BCHW):
        between = 255 * image_BCHW - (255 * image_BCHW).round().detach()
        off = between.flatten(1).abs().mean(1)
        return torch.stack([0.05 - off, off, off - 0.01], 1)


def test_a_success_between_two_levels_is_lost_by_rounding(batch):
    fine = GradientAttack(
        perturbation=LinfBall(epsilon=8 / 255, step_size=0.1 / 255), phases=[Phase(Prediction())], steps=3
    )
    interpreter = Green(classifier=Quantising())
    image, ids = batch
    found = GoalAttack(attack=fine, seed=0, targeted=False)(interpreter, image + 0.02 / 255, ids * 0, ids)
    assert found.facts["lost_by_rounding"].all()
    sound = probed(gradient(Phase(Prediction())), Green(classifier=Linear()), batch)
    assert not sound.facts["lost_by_rounding"].any()


def test_a_best_iterate_that_is_thrown_away_is_told(batch, monkeypatch):
    interpreter = Green(classifier=Linear())
    sound = probed(adv2(100.0), interpreter, batch)
    assert not sound.facts["better_iterate"].any() and sound.facts["better_iterate"].dtype == torch.bool
    assert not probed(cw(2), interpreter, batch).facts["better_iterate"].any()
    monkeypatch.setattr(BestIterate, "update", lambda *arguments: None)
    assert probed(adv2(0.0), interpreter, batch).facts["better_iterate"].any()
    assert probed(cw(2), interpreter, batch).facts["better_iterate"].any()
