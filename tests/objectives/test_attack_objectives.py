"""l_prd, l_int and L_aid against numpy, gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from benchmark.objectives.distances import l1
from benchmark.objectives.distillation import anchor_loss, distillation_loss
from benchmark.objectives.joint import Joint, map_loss, presence_loss
from benchmark.objectives.prediction import Prediction, prediction_loss
from benchmark.types import Explanation, Goal


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(1)
    explanation = Explanation(
        torch.randn(4, 6, generator=generator, dtype=torch.float64),
        torch.rand(4, 3, 5, generator=generator, dtype=torch.float64),
        torch.randn(4, 2, generator=generator, dtype=torch.float64),
    )
    goal = Goal(torch.tensor([0, 5, 2, 3]), torch.rand(4, 3, 5, generator=generator, dtype=torch.float64))
    return explanation, goal


def test_prediction_is_cross_entropy_towards_the_target(case):
    explanation, goal = case
    expected = -log_softmax(explanation.logits_BK.numpy(), axis=1)[np.arange(4), goal.target_B.numpy()]
    np.testing.assert_allclose(prediction_loss(explanation.logits_BK, goal.target_B), expected)
    np.testing.assert_allclose(Prediction()(explanation, goal, 0.5), expected)


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)])
def test_joint_ramps_the_map_loss_from_c_to_2c(case, progress, factor):
    explanation, goal = case
    squared = ((explanation.map_Bhw - goal.map_Bhw).numpy() ** 2).mean(axis=(1, 2))
    present = -log_softmax(explanation.presence_logits_B2.numpy(), axis=1)[:, 1]
    plain = prediction_loss(explanation.logits_BK, goal.target_B).numpy()
    np.testing.assert_allclose(map_loss(explanation.map_Bhw, goal.map_Bhw), squared)
    np.testing.assert_allclose(presence_loss(explanation.presence_logits_B2), present)
    joint = Joint(weight=7.0, presence_weight=0.1)
    np.testing.assert_allclose(joint(explanation, goal, progress), plain + 7 * factor * squared + 0.1 * present)


def test_joint_without_a_goal_map_says_so(case):
    with pytest.raises(ValueError, match="goal map"):
        Joint(weight=1.0)(case[0], Goal(case[1].target_B, None), 0.0)
    with pytest.raises(ValueError, match="weight, 0 or more"):
        Joint(weight=-1.0)


def test_joint_gradcheck(case):
    explanation, goal = case
    joint = Joint(weight=3.0, presence_weight=0.2)

    def loss(logits, attribution, exists):
        return joint(Explanation(logits, attribution, exists), goal, 0.3)

    parts = (explanation.logits_BK, explanation.map_Bhw, explanation.presence_logits_B2)
    assert torch.autograd.gradcheck(loss, tuple(part.clone().requires_grad_() for part in parts))


def test_distillation_rewards_distance_of_the_counted_samples():
    first = torch.tensor([[[0.0, 1.0]], [[0.5, 0.5]], [[1.0, 1.0]]])
    second = torch.tensor([[[1.0, 1.0]], [[0.4, 0.6]], [[0.0, 0.0]]])
    distance = l1(first, second)
    torch.testing.assert_close(distance, torch.tensor([0.5, 0.1, 1.0]))
    counted = torch.tensor([True, True, False])
    assert distillation_loss(distance, counted, None).item() == pytest.approx(-0.3)
    assert distillation_loss(distance, counted, 0.2).item() == pytest.approx(-0.15)
    assert distillation_loss(distance, torch.zeros(3, dtype=torch.bool), None) == 0
    assert anchor_loss(first, second).item() == pytest.approx(1.6 / 3)


def test_the_reward_pulls_both_maps_apart_until_the_cap():
    benign = torch.full((1, 1, 2), 0.5, requires_grad=True)
    probed = torch.full((1, 1, 2), 0.6, requires_grad=True)
    distillation_loss(l1(benign, probed), torch.tensor([True]), 0.2).backward()
    assert (benign.grad > 0).all() and (probed.grad < 0).all()
    capped = torch.full((1, 1, 2), 0.9, requires_grad=True)
    distillation_loss(l1(benign.detach(), capped), torch.tensor([True]), 0.2).backward()
    assert (capped.grad == 0).all()


def test_an_encoder_of_its_own_has_its_own_say():
    """l_prd on the encoder's logits beside the classifier's, only where there are any (the authors' RTS attack)."""
    logits, encoder = torch.randn(3, 4), torch.randn(3, 4)
    target, map_Bhw = torch.tensor([1, 0, 3]), torch.rand(3, 5, 5)
    goal = Goal(target, map_Bhw)
    joint = Joint(weight=2.0, encoder_weight=0.1)
    alone = joint(Explanation(logits, map_Bhw), goal, 0.0)
    both = joint(Explanation(logits, map_Bhw, None, encoder), goal, 0.0)
    expected = 0.1 * torch.nn.functional.cross_entropy(encoder, target, reduction="none")
    torch.testing.assert_close(both - alone, expected)
    with pytest.raises(ValueError, match="encoder_weight is a weight, 0 or more, got -1"):
        Joint(weight=1.0, encoder_weight=-1)
