"""The objective of ADV2: fool the classifier and its interpreter at once.

l_prd(f(x'), t) + lambda * l_int(g(x'; t), m_t), "Interpretable Deep Learning under Fire", USENIX Security 2020.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics.bounds import Weight, checked_arguments
from benchmark.objectives.prediction import goal_loss
from benchmark.types import Explanation, Goal


def map_loss(map_Bhw: Tensor, goal_Bhw: Tensor) -> Tensor:
    """l_int = mean over pixels of (g(x'; t) - m_t)^2, per sample (B,), in [0, 1]."""
    return (map_Bhw - goal_Bhw).square().flatten(1).mean(1)


def presence_loss(presence_logits_B2: Tensor) -> Tensor:
    """Cross-entropy of the selector's presence logits towards "the class is present", per sample (B,)."""
    present_B = presence_logits_B2.new_ones(len(presence_logits_B2)).long()
    return F.cross_entropy(presence_logits_B2, present_B, reduction="none")


class Joint:
    """l_prd + lambda * l_int (+ presence_weight * selector + encoder_weight * encoder), lambda rising from c to 2c.

    Args:
        weight: c, the weight of the map loss at the start of the phase; 2c at its end.
        presence_weight: weight of the selector's own cross-entropy, where the interpreter has a selector.
        encoder_weight: weight of l_prd on the encoder's own logits, where the encoder is another network.
    Raises:
        ValueError: a weight below zero.
    """

    needs_map = True

    @checked_arguments
    def __init__(self, *, weight: Weight, presence_weight: Weight = 0.0, encoder_weight: Weight = 0.0) -> None:
        self.weight, self.presence_weight, self.encoder_weight = weight, presence_weight, encoder_weight

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor:
        if goal.map_Bhw is None:
            raise ValueError("a joint objective needs a goal map and got none: give the probe a goal")
        loss_B = goal_loss(explanation.logits_BK, goal)
        if self.weight > 0:
            loss_B = loss_B + self.weight * (1 + progress) * map_loss(explanation.map_Bhw, goal.map_Bhw)
        if self.presence_weight > 0 and explanation.presence_logits_B2 is not None:
            loss_B = loss_B + self.presence_weight * presence_loss(explanation.presence_logits_B2)
        if self.encoder_weight > 0 and explanation.encoder_BK is not None:
            loss_B = loss_B + self.encoder_weight * goal_loss(explanation.encoder_BK, goal)
        return loss_B
