"""The attack's contract, its equality with PGD, and planted solutions that it must find."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import rng
from benchmark.objectives.joint import Joint, map_loss
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.finite import FiniteCheck
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.linf_ball import LinfBall
from benchmark.types import Explanation, Goal, Outcome

EPSILON, ALPHA = 8 / 255, 1 / 255


class Linear(nn.Module):
    """A linear classifier of the image's pixels."""

    def __init__(self, classes: int = 3, side: int = 4) -> None:
        super().__init__()
        self.num_classes = classes
        weight = torch.randn(classes, 3 * side * side, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, image):
        return image.flatten(1) @ self.weight.T


class GreenChannel(BaseInterpreter):
    """An interpreter whose map is the green channel: an attack that may use red and blue can leave it as it is."""

    def __init__(self, classifier):
        super().__init__(classifier=classifier)

    def attribution_map(self, image_BCHW, class_B):
        return image_BCHW[:, 1]


@pytest.fixture
def interpreter():
    return GreenChannel(Linear())


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    image = (torch.rand(10, 3, 4, 4, generator=generator) * 255).round() / 255
    ids = torch.arange(100, 110)
    return image, ids


def adv2(weight: float, steps: int = 12, warmup: int = 4, **ball) -> GradientAttack:
    return GradientAttack(
        perturbation=LinfBall(epsilon=EPSILON, step_size=ALPHA, **ball),
        phases=[Phase(Prediction(), warmup), Phase(Joint(weight=weight))],
        steps=steps,
    )


def pgd(steps: int = 12, **ball) -> GradientAttack:
    return GradientAttack(
        perturbation=LinfBall(epsilon=EPSILON, step_size=ALPHA, **ball), phases=[Phase(Prediction())], steps=steps
    )


def reference_pgd(classifier, image, target, steps):
    """PGD written out again."""
    current = image.clone()
    for _ in range(steps):
        current = current.detach().requires_grad_()
        torch.nn.functional.cross_entropy(classifier(current), target, reduction="sum").backward()
        with torch.no_grad():
            current = current - ALPHA * current.grad.sign()
            current = torch.minimum(torch.maximum(current, image - EPSILON), image + EPSILON).clamp(0, 1)
    return current


def goal_of(interpreter, image):
    logits = interpreter.classifier(image)
    target = logits.argmin(1)
    return Goal(target, interpreter(image, logits.argmax(1)))


def test_pgd_equals_the_reference(interpreter, batch):
    image, ids = batch
    goal = goal_of(interpreter, image)
    outcome = pgd()(interpreter, image, goal, rng.sample_keys(0, "start", ids))
    expected = reference_pgd(interpreter.classifier, image, goal.target_B, 12)
    torch.testing.assert_close(outcome.image_BCHW, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [4, 5, 9])
def test_adv2_without_map_weight_walks_like_pgd(interpreter, batch, steps):
    """Step for step: stopped after any number of steps, the last iterates are the same."""
    image, ids = batch
    never = Goal(torch.full((10,), 2), torch.full((10, 4, 4), 0.5))
    unreachable = GreenChannel(Linear())
    unreachable.classifier.weight[2] = -1.0  # class 2 never wins, so that both keep their last iterate
    key = rng.sample_keys(0, "start", ids)
    walked = adv2(0.0, steps=steps)(unreachable, image, never, key)
    expected = pgd(steps=steps)(unreachable, image, never, key)
    assert not walked.success_B.any()
    assert torch.equal(walked.image_BCHW, expected.image_BCHW)


@pytest.mark.parametrize(
    "attack", [pgd(), adv2(5.0), adv2(5.0, random_start=True)], ids=["pgd", "adv2", "random start"]
)
def test_contract(interpreter, batch, attack):
    image, ids = batch
    before = interpreter.classifier.weight.clone()
    targeted = GoalAttack(attack=attack, seed=0)
    prediction = interpreter.classifier(image).argmax(1)
    first = targeted(interpreter, image, prediction, ids)
    again = targeted(interpreter, image, prediction, ids)
    assert torch.equal(first.image_BCHW, again.image_BCHW), "the same seed gives the same bits"
    assert (first.image_BCHW - image).abs().max() <= EPSILON + 1e-6
    assert first.image_BCHW.min() >= 0 and first.image_BCHW.max() <= 1
    assert (first.goal_B != prediction).all() and not first.image_BCHW.requires_grad
    assert torch.equal(interpreter.classifier.weight, before) and interpreter.classifier.weight.grad is None
    for row in range(3):
        one = slice(row, row + 1)
        alone = targeted(interpreter, image[one], prediction[one], ids[one])
        torch.testing.assert_close(alone.image_BCHW, first.image_BCHW[one], rtol=0, atol=1e-6)
    other = GoalAttack(attack=attack, seed=1)(interpreter, image, prediction, ids)
    assert not torch.equal(other.goal_B, first.goal_B)


def test_zero_steps_is_the_identity(interpreter, batch):
    image, ids = batch
    goal = goal_of(interpreter, image)
    attack = GradientAttack(
        perturbation=LinfBall(epsilon=EPSILON, step_size=ALPHA), phases=[Phase(Joint(weight=1.0))], steps=0
    )
    assert torch.equal(attack(interpreter, image, goal, ids).image_BCHW, image)


def test_the_map_is_left_alone_where_it_can_be():
    """Planted: red and blue suffice to fool the classifier, so ADV2 must find the target with the map as it was."""
    interpreter = GreenChannel(Linear())
    weight = torch.ones(3, 4, 4)
    weight[:, 2:] = -1.0
    interpreter.classifier.weight.copy_(torch.stack([0.01 - weight.flatten(), weight.flatten(), torch.zeros(48)]))
    image = torch.full((6, 3, 4, 4), 0.5)
    assert (interpreter.classifier(image).argmax(1) == 0).all()
    goal = Goal(torch.ones(6, dtype=torch.long), image[:, 1])
    plain = pgd(steps=40)(interpreter, image, goal, torch.arange(6))
    hidden = adv2(1e4, steps=40, warmup=10)(interpreter, image, goal, torch.arange(6))
    assert (interpreter.classifier(plain.image_BCHW).argmax(1) == 1).all() and hidden.success_B.all()
    assert map_loss(plain.image_BCHW[:, 1], goal.map_Bhw).min() > 5e-4
    assert hidden.cost_B.max() < 2e-5


def test_the_kept_iterate_is_the_best_success_not_the_last(batch):
    """An interpreter whose map moves away at every step: the first success after phase one must be kept."""
    image, ids = batch

    class Drifting(GreenChannel):
        steps = 0

        def explanation(self, image, class_B):
            self.steps += 1
            logits = self.classifier(image)
            logits = torch.nn.functional.one_hot(class_B, 3) * 10.0 + 0 * logits
            return Explanation(logits, image[:, 1] * 0 + 0.01 * self.steps)

    interpreter = Drifting(Linear())
    goal = Goal(torch.ones(10, dtype=torch.long), torch.zeros(10, 4, 4))
    outcome = adv2(1.0, steps=9, warmup=3)(interpreter, image, goal, ids)
    assert outcome.success_B.all()
    torch.testing.assert_close(outcome.cost_B, torch.full((10,), 1e-4), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LinfBall(epsilon=-0.1, step_size=ALPHA), "epsilon"),
        (lambda: LinfBall(epsilon=8, step_size=ALPHA), "divide pixel values by 255"),
        (lambda: LinfBall(epsilon=EPSILON, step_size=0.0), "step_size"),
        (lambda: pgd(steps=-1), "steps"),
        (lambda: adv2(1.0, steps=3, warmup=4), "add up"),
    ],
)
def test_settings_that_cannot_attack_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


class Broken(GreenChannel):
    """Its maps turn NaN for bright images."""

    def attribution_map(self, image_BCHW, class_B):
        bad = torch.where(image_BCHW.mean((1, 2, 3), keepdim=True)[:, 0] > 0.5, float("nan"), 1.0)
        return super().attribution_map(image_BCHW, class_B) * bad


def test_a_nan_stops_the_attack_and_names_the_step(batch):
    image, ids = batch
    image = image.clone()
    image[1] = 0.9
    broken = Broken(Linear())
    goal = Goal(torch.full((10,), 2), torch.full((10, 4, 4), 0.5))
    with pytest.raises(FloatingPointError, match=r"step 0 of phase 2, for samples in rows \[1"):
        adv2(5.0)(broken, image, goal, rng.sample_keys(0, "start", ids))


@pytest.mark.parametrize(("bad", "told"), [((3, 4), 3), ((11, 12, 13), 11), ((19,), 19)])
def test_the_first_step_that_is_not_finite_is_named_though_no_step_is_waited_for(bad, told):
    check = FiniteCheck(torch.zeros(4, 3, 2, 2), [8, 12])

    def walk():
        for step in range(20):
            values = torch.zeros(2)
            values[1] = float("nan") if step in bad else 1.0
            check.note(values, torch.tensor([0, 2]))
        check.check()

    phase, step = (1, told) if told < 8 else (2, told - 8)
    with pytest.raises(FloatingPointError, match=rf"at step {step} of phase {phase}, for samples in rows \[2\]"):
        walk()


def test_what_is_finite_passes_and_infinity_is_not():
    check = FiniteCheck(torch.zeros(2, 1, 1, 1), [3])
    for value in (0.0, -1e30, float("inf")):
        check.check()
        check.note(torch.tensor([0.0, value]))
    with pytest.raises(FloatingPointError, match=r"step 2 of phase 1, for samples in rows \[1\]"):
        check.check()


class Inverted(GreenChannel):
    """Maps that are one minus the others'."""

    def attribution_map(self, image_BCHW, class_B):
        return 1 - image_BCHW[:, 1]


class WithSurrogate(GreenChannel):
    """Its surrogate has other maps."""

    def surrogate(self):
        return Inverted(self.classifier)


def test_the_goal_map_is_the_true_interpreter_s_and_the_attack_differentiates_the_surrogate(batch):
    image, ids = batch
    given = {}

    class Recording:
        needs_map = True

        def __call__(self, interpreter, image_BCHW, goal, key_B):
            given.update(interpreter=interpreter, goal=goal)
            return Outcome(image_BCHW, torch.ones(10, dtype=torch.bool), torch.zeros(10))

    interpreter = WithSurrogate(Linear())
    prediction = interpreter.classifier(image).argmax(1)
    GoalAttack(attack=Recording(), seed=0)(interpreter, image, prediction, ids)
    assert given["interpreter"] is interpreter, "which an attack asks for its surrogate"
    torch.testing.assert_close(given["goal"].map_Bhw, interpreter(image, prediction))
    walked = adv2(50.0)(interpreter, image, given["goal"], ids)
    expected = adv2(50.0)(Inverted(interpreter.classifier), image, given["goal"], ids)
    assert torch.equal(walked.image_BCHW, expected.image_BCHW)
