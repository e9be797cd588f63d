"""Which of an attack's iterates is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.objectives.joint import map_loss
from benchmark.objectives.margin import margin
from benchmark.types import Explanation, Goal


def reaches_goal(logits_BK: Tensor, class_B: Tensor, least_margin: float) -> Tensor:
    """Whether the class is predicted, and wins by at least ``least_margin`` logits; (B,) bool.

    The class is the target of the attack; in an untargeted one any other than the class to get away from.
    """
    logits_BK = logits_BK.detach()
    wins_B = logits_BK.argmax(1) == class_B
    if least_margin > 0:
        wins_B &= margin(logits_BK, class_B) >= least_margin
    return wins_B


class BestIterate:
    """The best iterate of every sample so far: of those that reach the goal the one of the smallest cost.

    Attributes:
        image_BCHW: the iterate. success_B: whether it reaches the goal. cost_B: its cost.

    Args:
        rule: what the cost is: map (the map loss l_int, NaN without a map) or size (the L2 norm of x' - x).
        margin: by how many logits a class has to win to reach the goal.
    """

    STATE = ("image_BCHW", "success_B", "cost_B")

    def __init__(self, image_BCHW: Tensor, goal: Goal, rule: str, margin: float = 0.0) -> None:
        self.original_BCHW, self.goal, self.rule, self.margin = image_BCHW, goal, rule, margin
        self.image_BCHW = image_BCHW.clone()
        self.success_B = torch.zeros(len(image_BCHW), dtype=torch.bool, device=image_BCHW.device)
        self.cost_B = image_BCHW.new_full((len(image_BCHW),), float("inf"))

    def cost_of(self, image_BCHW: Tensor, explanation: Explanation) -> Tensor:
        """By what iterates are chosen, per sample (B,)."""
        if self.rule == "size":
            return (image_BCHW - self.original_BCHW).flatten(1).norm(dim=1)
        if self.goal.map_Bhw is None or explanation.map_Bhw.numel() == 0:
            return torch.full_like(self.cost_B, float("nan"))
        return map_loss(explanation.map_Bhw.detach(), self.goal.map_Bhw)

    @torch.no_grad()
    def update(self, image_BCHW: Tensor, explanation: Explanation, class_B: Tensor) -> None:
        """Takes an iterate where it reaches the goal at a smaller cost. ``class_B``: the class its map is of."""
        success_B = reaches_goal(explanation.logits_BK, class_B, self.margin)
        cost_B = self.cost_of(image_BCHW.detach(), explanation)
        self._take(success_B & (cost_B < self.cost_B), image_BCHW, success_B, cost_B)

    @torch.no_grad()
    def finalize(self, image_BCHW: Tensor, explanation: Explanation, class_B: Tensor) -> None:
        """Takes the last iterate as :meth:`update` does, and also where no iterate has reached the goal."""
        success_B = reaches_goal(explanation.logits_BK, class_B, self.margin)
        cost_B = self.cost_of(image_BCHW.detach(), explanation)
        self._take((success_B & (cost_B < self.cost_B)) | ~self.success_B, image_BCHW, success_B, cost_B)

    def _take(self, which_B: Tensor, image_BCHW: Tensor, success_B: Tensor, cost_B: Tensor) -> None:
        self.image_BCHW = torch.where(which_B[:, None, None, None], image_BCHW.detach(), self.image_BCHW)
        self.success_B = torch.where(which_B, success_B, self.success_B)
        self.cost_B = torch.where(which_B, cost_B, self.cost_B)
