"""l_prd: the loss that pulls the classifier towards a target class, or away from the predicted one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchmark.types import Explanation, Goal


def prediction_loss(logits_BK: Tensor, target_B: Tensor) -> Tensor:
    """l_prd(f(x'), t) = cross-entropy of the logits towards the target class, per sample (B,), >= 0."""
    return F.cross_entropy(logits_BK, target_B, reduction="none")


def goal_loss(logits_BK: Tensor, goal: Goal) -> Tensor:
    """l_prd towards the goal's class; for an untargeted goal -l_prd of the class to get away from. (B,)."""
    loss_B = prediction_loss(logits_BK, goal.target_B)
    return loss_B if goal.targeted else -loss_B


class Prediction:
    """The objective of PGD: l_prd alone, without a map."""

    needs_map = False

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor:
        return goal_loss(explanation.logits_BK, goal)
