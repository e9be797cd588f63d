"""Each way in which an attack fails raises its own flag and no other; an attack that works raises none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.pipeline.soundness.attack_account import account_check, second_half
from benchmark.pipeline.soundness.before_attack import map_gradient_flags, repeat_flags, surrogate_check
from benchmark.pipeline.soundness.comparisons import COMPARED, Reached, comparison_check
from benchmark.probes import attack as attack_module
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.auto_attack import AutoAttack
from benchmark.probes.best_iterate import BestIterate
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.l2_ball import L2Ball
from benchmark.probes.linf_ball import LinfBall
from benchmark.storage.flags import FLAGS, ordered, withholding
from lightning_modules.measure import LitMeasure
from lightning_modules.probe import LitProbe
from tests.helpers import configured
from tests.pipeline.tiny import BALL, SIDE, Green, Images, Linear, WithSurrogate

EPSILON, N = BALL["epsilon"], 12


class Balanced(Linear):
    """Weights that sum to zero, so that no class wins by brightness; ``slope`` is what happens to the gradient."""

    def __init__(self, scale: float = 1.0, prepare=lambda image: image, slope=None) -> None:
        super().__init__(scale, prepare)
        self.weight.data -= self.weight.data.mean(1, keepdim=True)
        self.slope = slope

    def forward(self, image):
        if self.slope is not None and image.requires_grad:
            image.register_hook(self.slope)
        return super().forward(image)


def images(contrast: float):
    """Grey, with noise: the lower the contrast, the nearer the decision boundary."""
    noise = torch.rand(N, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) - 0.5
    ids = torch.arange(N)
    rest = {"sample_id": ids, "source_id": ids, "label": ids % 3, "position": ids}
    image = ((0.5 + contrast * noise) * 255).round() / 255
    return {"image": image, **rest}


def adv2(perturbation=None, warmup: int = 20, steps: int = 120, weight: float = 20.0) -> GoalAttack:
    phases = [Phase(Prediction(), warmup), Phase(Joint(weight=weight))]
    ball = perturbation or LinfBall(**BALL)
    return GoalAttack(attack=GradientAttack(perturbation=ball, phases=phases, steps=steps), seed=0)


def pgd(perturbation=None, steps: int = 60) -> GoalAttack:
    ball = perturbation or LinfBall(**BALL)
    return GoalAttack(attack=GradientAttack(perturbation=ball, phases=[Phase(Prediction())], steps=steps), seed=0)


def flags_of(interpreter, probe, batch=None, epsilon=EPSILON) -> list[str]:
    """Every flag, as a cell collects them."""
    batch = images(0.5) if batch is None else batch
    batch = {**batch, "prediction": interpreter.classifier(batch["image"]).argmax(1)}
    found = repeat_flags(interpreter, batch["image"], batch["prediction"])
    if probe.needs_map:
        found += map_gradient_flags(interpreter, batch["image"], batch["prediction"])
        found += surrogate_check(interpreter, Images(batch), N)[1]
    made = LitProbe(interpreter=interpreter, probe=probe).predict_step(batch, 0)
    told = {name.removeprefix("attack."): value for name, value in made.items() if name.startswith("attack.")}
    probed = {**batch, "probed": made["image"] / 255, "goal": made["goal"], "attack": told}
    if "goal_map" in made:
        probed["goal_map"] = made["goal_map"]
    found += comparison_check(interpreter, probe, probed, epsilon)[1]
    module = LitMeasure(
        **{"interpreter": interpreter, "reference": None, "spread": 0.1, "blur": 1.0, "harmless_noise": None},
        **{"n_faithfulness_samples": 0, "n_harmless_samples": 0},
    )
    columns = module.predict_step(probed, 0)
    samples = pd.DataFrame({name: each.numpy() for name, each in columns.items() if each.ndim == 1})
    return ordered(found + account_check(samples, needs_map=probe.needs_map)[1])


def auto(ball=None, passes: int = 120) -> GoalAttack:
    """adv2_auto with the members that are configured."""
    attack = configured(Path("."), "probe=adv2_auto", "interpreter=cam")["probe"]["module"]["attack"]
    members = [instantiate(member) for member in attack["members"]]
    return GoalAttack(attack=AutoAttack(ball=ball or LinfBall(**BALL), passes=passes, members=members), seed=0)


def l2_ball() -> L2Ball:
    return L2Ball(radius=0.6, step_size=0.02)


SOUND = {
    **{"pgd": pgd(), "adv2": adv2(), "adv2_auto": auto(passes=1200)},
    **{"pgd in L2": pgd(l2_ball()), "adv2 in L2": adv2(l2_ball())},
}


@pytest.mark.parametrize("probe", SOUND.values(), ids=SOUND)
def test_a_sound_attack_has_no_flag(probe):
    assert flags_of(Green(Balanced()), probe) == []


@pytest.mark.parametrize("probe", [pgd(), adv2()], ids=["pgd", "adv2"])
def test_a_quantised_classifier(probe):
    stepped = Balanced(prepare=lambda image: (4 * image).round() / 4 + 0 * image)
    assert flags_of(Green(stepped), probe) == ["zero_gradient"]


def test_a_gradient_that_is_clipped_from_below():
    clipped = Balanced(slope=lambda gradient: gradient.clamp(min=1e-6))
    for probe in (adv2(), auto()):
        assert flags_of(Green(clipped), probe) == ["bounded_without_bound"]


@pytest.mark.parametrize("probe", [adv2(l2_ball()), auto(l2_ball())], ids=["adv2", "adv2_auto"])
def test_a_gradient_without_its_sign_fails_in_an_l2_ball_too(probe):
    unsigned = Balanced(slope=torch.abs)
    assert flags_of(Green(unsigned), probe) == ["bounded_without_bound"]


def test_a_surrogate_that_sees_a_part_of_the_image():
    seen = torch.zeros(SIDE, SIDE)
    seen[:2, :4] = 1
    net = Balanced()
    part = Balanced(prepare=lambda image: seen * image + ((1 - seen) * image).detach())
    assert flags_of(WithSurrogate(net, Green(part)), adv2()) == ["weaker_than_transfer"]


class Uphill(LinfBall):
    """A step of the wrong sign."""

    def step(self, parameter, gradient, image_BCHW):
        return super().step(parameter, -gradient, image_BCHW)


def test_steps_of_the_wrong_sign_are_weaker_than_random_ones():
    assert flags_of(Green(Balanced()), pgd(Uphill(**BALL)), images(0.05)) == ["weaker_than_random"]


def test_a_randomised_network():
    noisy = Balanced(10.0, prepare=lambda image: image + 0.02 * torch.rand_like(image))
    assert flags_of(Green(noisy), pgd()) == ["random_classifier"]


def test_a_budget_that_is_too_small():
    assert flags_of(Green(Balanced()), adv2(warmup=10, steps=14, weight=200.0)) == ["loss_falling"]
    assert flags_of(Green(Balanced()), auto(passes=120)) == ["loss_falling", "not_converged"]


def test_an_attack_that_throws_its_best_iterate_away(monkeypatch):
    class Last(BestIterate):
        def update(self, image_BCHW, explanation, class_B):
            pass

    monkeypatch.setattr(attack_module, "BestIterate", Last)
    assert flags_of(Green(Balanced()), adv2()) == ["better_iterate"]


def test_a_success_that_rounding_undoes():
    """Of the iterates the smallest is kept, a hair behind the boundary; steps are a tenth of what 8 bit can show."""
    ball = LinfBall(epsilon=EPSILON, step_size=0.1 / 255)
    small = GradientAttack(perturbation=ball, phases=[Phase(Prediction())], steps=100, keep="size")
    flags = flags_of(Green(Balanced()), GoalAttack(attack=small, seed=0), epsilon=None)
    assert "lost_by_rounding" in flags and "better_iterate" not in flags
    sure = GradientAttack(perturbation=ball, phases=[Phase(Prediction())], steps=100, keep="size", margin=0.5)
    assert flags_of(Green(Balanced()), GoalAttack(attack=sure, seed=0), epsilon=None) == []


def told(**columns) -> pd.DataFrame:
    return pd.DataFrame({"success": [True] * 10, "goal_map_l1": [0.01] * 10} | columns)


def test_convergence_is_told_by_the_second_half_of_the_passes():
    for half, wanted in ((0.0112, ["not_converged"]), (0.0110, []), (0.01, [])):
        assert account_check(told(half_distance=[half] * 10), needs_map=True) == ({}, wanted)
        near = told(half_distance=[half / 100] * 10, goal_map_l1=[0.0001] * 10)
        assert account_check(near, needs_map=True) == ({}, wanted), "a share of any distance, however small"
    assert second_half(told(half_distance=[0.02] * 10)) == pytest.approx(0.5)
    nan = float("nan")
    assert second_half(told(half_distance=[nan] + [0.01] * 9)) == 1.0, "a tenth got there in the second half only"
    failed = told(half_distance=[nan] + [0.01] * 9, success=[False] + [True] * 9)
    assert second_half(failed) == 0.0
    elsewhere = told(half_distance=[0.02] * 10).drop(columns="goal_map_l1")
    assert account_check(elsewhere, needs_map=True) == ({}, []), "another interpreter measures the images"


def test_a_falling_loss_matters_where_there_is_something_to_win():
    fall = told(loss_fall=[0.06] * 10)
    assert account_check(fall, needs_map=True)[1] == ["loss_falling"]
    assert account_check(fall, needs_map=False)[1] == [], "the class is reached, and there is no map"
    some = told(loss_fall=[0.0] * 8 + [0.06] * 2, success=[True] * 8 + [False] * 2)
    assert account_check(some, needs_map=False)[1] == ["loss_falling"]
    assert account_check(some, needs_map=True)[1] == []


def test_what_is_better_of_two_images():
    def reached(*pairs):
        return Reached(torch.tensor([a for a, _ in pairs]), torch.tensor([b for _, b in pairs]))

    one = reached((True, 0.5), (False, 0.0), (True, 0.89), (True, 0.91), (True, 0.0))
    other = reached((False, 0.1), (True, 0.9), (True, 1.0), (True, 1.0), (True, 0.0))
    assert one.is_better_than(other).tolist() == [True, False, True, False, False]


def test_the_checks_are_not_counted_and_take_few_samples():
    net = Balanced()
    seen = []
    net.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    batch = images(0.5)
    batch["prediction"] = net(batch["image"]).argmax(1)
    probe, interpreter = pgd(), Green(net)
    made = LitProbe(interpreter=interpreter, probe=probe).predict_step(batch, 0)
    counted, called = dict(net.passes), len(seen)
    told = {"zero_gradient": made["attack.zero_gradient"]}
    probed = {**batch, "probed": made["image"] / 255, "goal": made["goal"], "attack": told}
    facts, flags = comparison_check(interpreter, probe, probed, EPSILON)
    assert (facts, flags) == ({"random_better": 0.0, "unbounded_success": 1.0, "transfer_better": 0.0}, [])
    assert dict(net.passes) == counted and len(seen) > called
    assert max(seen[called:]) == COMPARED < N


def test_a_caveat_withholds_nothing():
    assert withholding(["loss_falling", "zero_gradient", "not_converged"]) == ["zero_gradient"]
    of_maps = {"constant_maps", "class_blind", "full_maps", "empty_maps", "even_maps"}
    assert {flag.name for flag in FLAGS if not flag.withholds} == {"loss_falling", "not_converged"} | of_maps
