"""The margin by which a goal is missed (Carlini & Wagner, IEEE S&P 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.objectives.joint import map_loss
from benchmark.types import Explanation, Goal


def margin_loss(logits_BK: Tensor, goal: Goal, confidence: float = 0.0) -> Tensor:
    """max(max_{j != t} z_j - z_t, -confidence), per sample (B,): at most 0 where the target class wins.

    For an untargeted goal the other way round: the class to get away from has to lose.
    """
    own_B = logits_BK.gather(1, goal.target_B[:, None])[:, 0]
    rest_BK = logits_BK.scatter(1, goal.target_B[:, None], float("-inf"))
    ahead_B = rest_BK.amax(1) - own_B
    return torch.clamp(ahead_B if goal.targeted else -ahead_B, min=-confidence)


class Margin:
    """The objective of C&W; the size of the perturbation is the perturbation's own penalty.

    Args:
        confidence: kappa, the margin to win by, in logits. weight: c of a map loss beside it, rising to 2c; 0 for none.
    Raises:
        ValueError: either below zero.
    """

    def __init__(self, *, confidence: float = 0.0, weight: float = 0.0) -> None:
        if confidence < 0 or weight < 0:
            raise ValueError(f"probe.confidence and probe.weight must be >= 0, got {confidence} and {weight}")
        self.confidence, self.weight = confidence, weight
        self.needs_map = weight > 0

    def __call__(self, seen: Explanation, goal: Goal, progress: float) -> Tensor:
        loss_B = margin_loss(seen.logits_BK, goal, self.confidence)
        if self.needs_map:
            if goal.map_Bhw is None:
                raise ValueError("a map loss needs a goal map and got none: give the probe a goal")
            loss_B = loss_B + self.weight * (1 + progress) * map_loss(seen.map_Bhw, goal.map_Bhw)
        return loss_B
