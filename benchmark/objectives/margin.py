"""The margin by which a class wins, and the attack loss made of it (Carlini & Wagner, IEEE S&P 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.numerics.bounds import NonNegative, Weight, checked_arguments
from benchmark.objectives.joint import map_loss
from benchmark.types import Explanation, Goal


def margin(logits_BK: Tensor, class_B: Tensor) -> Tensor:
    """z_c - max_{j != c} z_j, in logits, per sample (B,): above 0 where class c wins."""
    own_B = logits_BK.gather(1, class_B[:, None])[:, 0]
    others_BK = logits_BK.scatter(1, class_B[:, None], float("-inf"))
    return own_B - others_BK.amax(1)


def margin_loss(logits_BK: Tensor, goal: Goal, confidence: float = 0.0) -> Tensor:
    """max(-margin(z, t), -confidence), per sample (B,): at most 0 where the target class t wins.

    For an untargeted goal max(margin(z, c), -confidence): at most 0 where the class c to get away from loses.
    """
    margin_B = margin(logits_BK, goal.target_B)
    return torch.clamp(-margin_B if goal.targeted else margin_B, min=-confidence)


class Margin:
    """The objective of C&W; the size of the perturbation is the perturbation's own penalty.

    Args:
        confidence: kappa, the margin to win by, in logits.
        weight: c of a map loss beside it, rising to 2c over the phase; 0 for none.
    Raises:
        ValueError: either below zero.
    """

    @checked_arguments
    def __init__(self, *, confidence: NonNegative = 0.0, weight: Weight = 0.0) -> None:
        self.confidence, self.weight = confidence, weight
        self.needs_map = weight > 0

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor:
        loss_B = margin_loss(explanation.logits_BK, goal, self.confidence)
        if self.needs_map:
            if goal.map_Bhw is None:
                raise ValueError("a map loss needs a goal map and got none: give the probe a goal")
            loss_B = loss_B + self.weight * (1 + progress) * map_loss(explanation.map_Bhw, goal.map_Bhw)
        return loss_B
