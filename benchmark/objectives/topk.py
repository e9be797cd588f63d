"""Change the map and keep the prediction: the top-k attack (Ghorbani, Abid & Zou, AAAI 2019)."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Le
from torch import Tensor

from benchmark.numerics.bounds import Weight, checked_arguments
from benchmark.numerics.expectations import Says
from benchmark.numerics.images import top_region
from benchmark.objectives.prediction import prediction_loss
from benchmark.types import Explanation, Goal


def top_mass(map_Bhw: Tensor, benign_Bhw: Tensor, share: float) -> Tensor:
    """Mean of the map over the benign map's top ``share`` of pixels, per sample (B,), in [0, 1]."""
    region = top_region(benign_Bhw, max(share, 1 / benign_Bhw[0].numel()))  # at least one pixel
    return (map_Bhw * region).flatten(1).sum(1) / region.flatten(1).sum(1).clamp(min=1)


class TopK:
    """l_prd(f(x'), c) + weight * top_mass: the goal is the predicted class c, its map the benign one.

    Args:
        share: of the pixels that count as the top, in (0, 1]. weight: of the mass, beside the prediction loss.
    """

    needs_map = True

    @checked_arguments
    def __init__(
        self,
        *,
        share: Annotated[float, Gt(0), Le(1), Says("a share of the map's pixels in (0, 1]")],
        weight: Weight,
    ) -> None:
        self.share, self.weight = share, weight

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor:
        if goal.map_Bhw is None:
            raise ValueError("the top-k objective needs the benign map as its goal: set goal=keep")
        mass_B = top_mass(explanation.map_Bhw, goal.map_Bhw, self.share)
        return prediction_loss(explanation.logits_BK, goal.target_B) + self.weight * mass_B
