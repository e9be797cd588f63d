"""adv2_auto: planted optima that it must find, its rules, and what it tells about itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import rng
from benchmark.numerics.images import quantise
from benchmark.objectives.distances import l1
from benchmark.probes.auto_attack import AutoAttack
from benchmark.probes.flow_field import FlowField
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.l2_ball import L2Ball
from benchmark.probes.linf_ball import LinfBall
from benchmark.probes.members import Member
from benchmark.probes.strongest import Strongest
from benchmark.probes.true_map import TrueMap
from benchmark.types import Goal
from tests.helpers import configured

COUNT, SIDE, EPSILON = 5, 8, 8 / 255
PIXELS = SIDE * SIDE


class Linear(nn.Module):
    """Classes 0 and 1 by a weighted sum of the pixels; it counts its passes."""

    num_classes = 2

    def __init__(self, weight: torch.Tensor, bias: float) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), bias
        self.passes = {"forward": 0, "backward": 0}

    def count_backward(self, gradient):
        self.passes["backward"] += len(gradient)

    def forward(self, image_BCHW):
        self.passes["forward"] += len(image_BCHW)
        if image_BCHW.requires_grad:
            image_BCHW.register_hook(self.count_backward)
        score_B = (image_BCHW * self.weight).flatten(1).sum(1) - self.bias
        return torch.stack([-score_B, score_B], 1)


class Green(BaseInterpreter):
    """The map is the green channel."""

    def attribution_map(self, image_BCHW, class_B):
        return image_BCHW[:, 1]


def weight_on(*channels: int) -> torch.Tensor:
    weight = torch.zeros(3, SIDE, SIDE)
    weight[list(channels)] = 1.0
    return weight


def task(*channels: int, levels: float):
    """Interpreter, images and goal: class 1 is reached once these channels' pixels have risen by ``levels`` in all."""
    draw = torch.Generator().manual_seed(0)
    image = quantise(0.3 + 0.4 * torch.rand(COUNT, 3, SIDE, SIDE, generator=draw))
    image[:] = image[:1]  # one bias for all
    weight = weight_on(*channels)
    bias = float((image[0] * weight).sum()) + levels / 255
    interpreter = Green(classifier=Linear(weight, bias))
    goal = Goal(torch.ones(COUNT, dtype=torch.long), interpreter(image, torch.zeros(COUNT, dtype=torch.long)))
    return interpreter, image, goal, rng.sample_keys(0, "attack start", torch.arange(COUNT))


def members() -> list[Member]:
    """Those of the configuration."""
    return [Member(**{k: v for k, v in each.items() if k != "_target_"}) for each in configured_members()]


def configured_members():
    return configured("unused", "probe=adv2_auto")["probe"]["module"]["attack"]["members"]


def auto(passes: int = 60, ball=None, chosen=None) -> AutoAttack:
    return AutoAttack(ball=ball or LinfBall(epsilon=EPSILON), passes=passes, members=chosen or members())


def test_a_map_that_can_be_left_alone_is():
    """Red and blue suffice: the optimum is a distance of exactly 0, at which all samples leave."""
    interpreter, image, goal, key = task(0, 2, levels=100.5)
    outcome = auto()(interpreter, image, goal, key)
    assert outcome.success_B.all() and (outcome.cost_B == 0).all()
    assert (outcome.facts["passes"] < 60).all(), "what is at distance 0 is finished"


@pytest.mark.parametrize(("passes", "within"), [(100, 1.25), (300, 1.1)])
def test_the_optimum_of_a_linear_network_is_found(passes, within):
    """Only green counts, each pixel with its own weight: the nearest map changes those of the largest weights."""
    interpreter, image, goal, key = task(1, levels=100.5)
    weight = interpreter.classifier.weight
    weight[1] = 0.5 + torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    interpreter.classifier.bias = float((image[0] * weight).sum()) + 100.5 / 255
    gains = weight[1].flatten().sort(descending=True).values.repeat_interleave(8)  # at most eight levels a pixel
    optimum = (int((gains.cumsum(0) < 100.5).sum()) + 1) / 255 / PIXELS
    outcome = auto(passes)(interpreter, image, goal, key)
    assert outcome.success_B.all()
    assert (outcome.cost_B >= optimum - 1e-6).all()
    assert (outcome.cost_B <= within * optimum).all()


def test_the_iterate_is_rounded_inside_the_ball_and_does_what_it_says():
    interpreter, image, goal, key = task(0, 1, levels=300.5)
    outcome = auto()(interpreter, image, goal, key)
    found = outcome.image_BCHW
    assert torch.equal(found, quantise(found)) and not found.requires_grad
    assert (found - image).abs().max() <= EPSILON + 1e-6
    torch.testing.assert_close(l1(interpreter(found, goal.target_B), goal.map_Bhw), outcome.cost_B)
    assert torch.equal(interpreter.classifier(found).argmax(1) == 1, outcome.success_B)
    assert not outcome.facts["lost_by_rounding"].any() and not outcome.facts["better_iterate"].any()


def test_samples_do_not_depend_on_each_other():
    """Also where some of them leave early."""
    interpreter, image, goal, key = task(1, levels=100.5)
    image = image + torch.linspace(0, 0.02, COUNT)[:, None, None, None]
    goal = goal._replace(map_Bhw=image[:, 1])
    together = auto()(interpreter, image, goal, key)
    for row in range(COUNT):
        one = slice(row, row + 1)
        alone = auto()(interpreter, image[one], Goal(goal.target_B[one], goal.map_Bhw[one]), key[one])
        assert torch.equal(alone.image_BCHW, together.image_BCHW[one])
        assert alone.facts["passes"].tolist() == together.facts["passes"][one].tolist()


def test_passes_are_counted_and_shared():
    interpreter, image, goal, key = task(1, levels=100.5)
    attack = auto(60)
    assert sum(attack.steps()) <= 60 and auto(3).steps() == [1, 1, 1, 0]
    outcome = attack(interpreter, image, goal, key)
    counted = sum(interpreter.classifier.passes.values()) / 2
    assert outcome.facts["passes"].sum() == counted and (outcome.facts["passes"] <= 60).all()
    assert outcome.facts["zero_gradient"].max() == 0
    with pytest.raises(ValueError, match="shares must add up to 1 at most"):
        auto(chosen=[*members(), *members()])
    with pytest.raises(ValueError, match="FlowField is none: use linf_ball or l2_ball"):
        auto(ball=FlowField())


def test_the_probe_adds_no_look():
    """Rounding is judged by the attack itself."""
    interpreter, image, _, _ = task(1, levels=100.5)
    probe = GoalAttack(attack=auto(12), seed=0)
    found = probe(interpreter, image, torch.zeros(COUNT, dtype=torch.long), torch.arange(COUNT))
    assert (found.facts["passes"] <= 12).all() and (found.facts["passes"] % 1 == 0).all()
    assert set(found.curves) > {"passes", "all"}


def test_curves_fall_and_end_at_the_outcome():
    interpreter, image, goal, key = task(1, levels=100.5)
    outcome = auto(90)(interpreter, image, goal, key)
    curves = outcome.curves
    assert curves["passes"][0, 0] == 0 and curves["passes"][0, -1] >= 90
    for name, curve_BG in curves.items():
        if name != "passes":
            known = curve_BG[~curve_BG.isnan().any(1)]
            assert (known[:, 1:] <= known[:, :-1]).all(), name
            assert known[:, 0].isinf().all(), "at no pass nothing is reached"
            assert (known[:, -1] >= outcome.cost_B[~curve_BG.isnan().any(1)] - 1e-6).all(), name
    torch.testing.assert_close(curves["all"][:, -1], outcome.cost_B)
    assert (outcome.facts["half_distance"] >= outcome.cost_B).all()
    winners = outcome.facts["member"]
    names = [member.name for member in members()]
    for row, winner in enumerate(winners.tolist()):
        assert curves[names[winner]][row, -1] == outcome.cost_B[row]


def test_it_is_never_worse_than_its_plain_member():
    interpreter, image, goal, key = task(0, 1, levels=500.5)
    plain = next(member for member in members() if member.name == "plain")
    alone = AutoAttack(ball=LinfBall(epsilon=EPSILON), passes=60, members=[plain])(interpreter, image, goal, key)
    assert (auto(60)(interpreter, image, goal, key).cost_B <= alone.cost_B).all()


def test_in_an_l2_ball():
    interpreter, image, goal, key = task(1, levels=100.5)
    outcome = auto(100, ball=L2Ball(radius=0.5))(interpreter, image, goal, key)
    size_B = (outcome.image_BCHW - image).flatten(1).norm(dim=1)
    rounding = (3 * PIXELS) ** 0.5 / 510
    assert outcome.success_B.all() and (size_B <= 0.5 + rounding).all()
    assert (outcome.cost_B <= 1.5 * 101 / 255 / PIXELS).all()


def test_the_l2_ball_s_steps_and_projection_by_hand():
    ball = L2Ball(radius=0.5, step_size=0.1)
    image, gradient = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[3.0, -4.0]]]])
    torch.testing.assert_close(ball.step(image, gradient, image), torch.tensor([[[[0.44, 0.58]]]]))
    far = image + torch.tensor([[[[0.3, -0.4]]]])
    torch.testing.assert_close(ball.project(image + torch.tensor([[[[0.6, -0.8]]]]), image), far.clamp(0, 1))
    draws = ball.random_point(image.expand(50, 1, 1, 2), rng.sample_keys(0, "point", torch.arange(50)))
    assert ((draws - image).flatten(1).norm(dim=1) <= 0.5 + 1e-6).all() and draws.std() > 0.05


class Inverted(Green):
    """Another map, with a slope of its own."""

    def attribution_map(self, image_BCHW, class_B):
        return 1 - 2 * image_BCHW[:, 1]


class Approximated(Green):
    def surrogate(self):
        return Inverted(classifier=self.classifier)


def test_maps_are_valued_as_the_true_ones_and_differentiated_as_the_surrogate_s():
    interpreter = Approximated(classifier=Linear(weight_on(1), 0.0))
    image = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    seen = TrueMap(interpreter).warm_started().explanation(image, torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(seen.map_Bhw, image[:, 1])
    (slope,) = torch.autograd.grad(seen.map_Bhw.sum(), image)
    assert (slope[:, 1] == -2).all() and (slope[:, 0] == 0).all()


def test_a_better_iterate_that_is_thrown_away_is_told(monkeypatch):
    interpreter, image, goal, key = task(1, levels=100.5)
    kept = Strongest.update

    def forgetful(self, rows, *arguments):
        image, rank, member = self.image_BCHW.clone(), self.rank_B.clone(), self.member_B.clone()
        kept(self, rows, *arguments)
        if self.success_B.all() and rank.max() < 1:  # after the first success nothing is taken
            self.image_BCHW, self.rank_B, self.member_B = image, rank, member

    monkeypatch.setattr(Strongest, "update", forgetful)
    assert auto()(interpreter, image, goal, key).facts["better_iterate"].any()


def test_the_l2_ball_without_its_bound_by_hand():
    ball = L2Ball(radius=0.5, step_size=0.1)
    free = ball.without_bound(20)
    image, gradient = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[3.0, -4.0]]]])
    torch.testing.assert_close(free.step(image, gradient, image), torch.tensor([[[[0.35, 0.70]]]]))  # 10 * 0.5 / 20 far
    far = torch.tensor([[[[2.0, 0.9]]]])
    torch.testing.assert_close(free.project(far, image), torch.tensor([[[[1.0, 0.9]]]]))
    assert (ball.radius, ball.step_size, ball.projects) == (0.5, 0.1, True), "the ball itself is as it was"
