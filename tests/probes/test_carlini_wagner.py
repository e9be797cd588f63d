"""C&W and untargeted goals: formulas by hand, and smallest perturbations that are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.metrics.prediction import success
from benchmark.objectives.joint import Joint
from benchmark.objectives.margin import Margin, margin_loss
from benchmark.objectives.prediction import Prediction, goal_loss
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.best_iterate import BestIterate
from benchmark.probes.const_search import ConstSearch
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.linf_ball import LinfBall
from benchmark.probes.tanh_box import TanhBox
from benchmark.types import Explanation, Goal
from tests.probes.test_attack import EPSILON, GreenChannel, Linear, adv2, pgd

IDS = torch.arange(6)
LOGITS = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])


@pytest.fixture
def image():
    return 0.3 + 0.4 * torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_margin_by_hand():
    goal = Goal(torch.tensor([1, 1]), None)
    assert margin_loss(LOGITS, goal).tolist() == [2.0, 0.0]
    assert margin_loss(LOGITS, goal, confidence=3.0).tolist() == [2.0, -3.0]
    away = Goal(torch.tensor([0, 1]), None, targeted=False)
    assert margin_loss(LOGITS, away).tolist() == [1.0, 4.0]
    assert goal_loss(LOGITS, away).tolist() == pytest.approx(
        [-nn.functional.cross_entropy(LOGITS[i : i + 1], away.target_B[i : i + 1]).item() for i in range(2)]
    )


def test_the_box_holds_and_starts_at_the_image(image):
    box = TanhBox()
    edge = torch.cat([image, torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)])
    parameter = box.start(edge, IDS)
    torch.testing.assert_close(box.apply(parameter, edge), edge, rtol=0, atol=1e-6)
    far = box.apply(parameter + 50, edge)
    assert far.min() >= 0 and far.max() <= 1
    assert box.with_const(1 / torch.arange(8.0)).penalty(parameter + 0.1, edge)[0] == 0
    expected = (box.apply(parameter + 0.1, edge) - edge).square().sum((1, 2, 3))
    torch.testing.assert_close(box.penalty(parameter + 0.1, edge), expected)


def cw(rounds: int, steps: int = 200, confidence: float = 0.0) -> ConstSearch:
    loop = GradientAttack(
        perturbation=TanhBox(lr=0.05),
        phases=[Phase(Margin(confidence=confidence))],
        steps=steps,
        keep="size",
        margin=confidence,
    )
    return ConstSearch(attack=loop, rounds=rounds, start=0.1)


def test_the_smallest_perturbation_is_found(image):
    """Of a linear net with two classes it is known: the distance to the plane, |z_0 - z_1| / |w_0 - w_1|."""
    interpreter = GreenChannel(Linear(classes=2))
    weight = interpreter.classifier.weight
    logits = interpreter.classifier(image)
    goal = Goal(logits.argmin(1), None)
    found = cw(rounds=8)(interpreter, image, goal, IDS)
    assert found.success_B.all()
    distance = (found.image_BCHW - image).flatten(1).norm(dim=1)
    smallest = (logits[:, 0] - logits[:, 1]).abs() / (weight[0] - weight[1]).norm()
    assert (distance >= smallest - 1e-5).all()
    assert (distance <= 1.1 * smallest + 0.01).all()


def test_searching_longer_is_never_worse_and_confidence_costs(image):
    interpreter = GreenChannel(Linear())
    goal = Goal(interpreter.classifier(image).argmin(1), None)

    def size(attack):
        found = attack(interpreter, image, goal, IDS)
        return torch.where(found.success_B, (found.image_BCHW - image).flatten(1).norm(dim=1), torch.inf)

    sizes = [size(cw(rounds=rounds)) for rounds in (1, 3, 7)]
    assert (sizes[1] <= sizes[0]).all() and (sizes[2] <= sizes[1]).all() and (sizes[2] < sizes[0]).any()
    sure = cw(rounds=7, confidence=0.5)(interpreter, image, goal, IDS)
    logits = interpreter.classifier(sure.image_BCHW)
    ahead = -margin_loss(logits, goal, confidence=1e9)
    assert (ahead[sure.success_B] >= 0.5 - 1e-5).all() and sure.success_B.any()


def test_kept_by_size_by_hand():
    image = torch.zeros(1, 3, 1, 1)
    goal = Goal(torch.tensor([1]), None)
    best = BestIterate(image, goal, "size")
    success, failure = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    for value, logits in ((0.5, success), (0.1, failure), (0.3, success), (0.4, success)):
        best.update(torch.full_like(image, value), Explanation(logits, image.new_empty(0)), goal.target_B)
    best.finalize(torch.full_like(image, 0.2), Explanation(failure, image.new_empty(0)), goal.target_B)
    assert best.image_BCHW.unique().tolist() == pytest.approx([0.3]) and best.success_B.all()


@pytest.mark.parametrize("attack", [pgd(steps=20), adv2(5.0, steps=20)], ids=["pgd", "adv2"])
def test_untargeted_attacks_leave_the_class_where_that_can_be(image, attack):
    """Of a linear net with two classes it is known: where |z_0 - z_1| is below epsilon |w_0 - w_1| in the L1 norm."""
    interpreter = GreenChannel(Linear(classes=2))
    weight = interpreter.classifier.weight
    logits = interpreter.classifier(image)
    prediction = logits.argmax(1)
    probed = GoalAttack(attack=attack, seed=0, targeted=False)(interpreter, image, prediction, IDS)
    assert (probed.goal_B == -1).all() and (probed.image_BCHW - image).abs().max() <= EPSILON + 1e-6
    left = success(prediction, interpreter.classifier(probed.image_BCHW).argmax(1), probed.goal_B)
    possible = (logits[:, 0] - logits[:, 1]).abs() < EPSILON * (weight[0] - weight[1]).abs().sum()
    assert left.tolist() == possible.tolist() and left.any() and not left.all()


def test_an_untargeted_map_is_that_of_the_class_the_image_moves_to():
    """Planted: the map names its class, the goal map is that of class 2, and only class 2 is a success with it."""

    class Naming(GreenChannel):
        asked: list = []

        def attribution_map(self, image_BCHW, class_B):
            self.asked.append(class_B.clone())
            return class_B[:, None, None].float().expand(-1, 2, 2) / 10 + 0 * image_BCHW[:, 1, :2, :2]

    interpreter = Naming(Linear())
    image = torch.full((1, 3, 4, 4), 0.5)
    logits = interpreter.classifier(image)
    now = logits.argmax(1).item()
    attack = GradientAttack(
        perturbation=LinfBall(epsilon=0.2, step_size=0.05),
        phases=[Phase(Prediction(), 1), Phase(Joint(weight=1.0))],
        steps=6,
    )
    goal = Goal(torch.tensor([now]), torch.full((1, 2, 2), 0.2), targeted=False)
    outcome = attack(interpreter, image, goal, IDS[:1])
    assert all(asked.item() != now for asked in interpreter.asked)
    after = interpreter.classifier(outcome.image_BCHW).argmax(1)
    assert outcome.success_B.all() and after.item() == interpreter.asked[-1].item() != now


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Margin(confidence=-1), "confidence"),
        (lambda: TanhBox(const=-1.0), "const"),
        (lambda: ConstSearch(attack=cw(1).attack, rounds=0), "rounds"),
        (lambda: ConstSearch(attack=pgd()), "no const"),
        (lambda: GradientAttack(perturbation=TanhBox(), phases=[Phase(Margin())], steps=3, keep="best"), "keep"),
        (lambda: GoalAttack(attack=pgd(), seed=0, goal="other_image", targeted=False), "leaves the class open"),
    ],
)
def test_what_cannot_attack_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()
