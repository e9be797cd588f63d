"""Which of an attack's iterates is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.objectives.joint import map_loss
from benchmark.types import Explanation, Goal

RULES = ("map", "size")


def reaches_goal(logits_BK: Tensor, seen_as_B: Tensor, margin: float) -> Tensor:
    """Whether the class that the map was taken for wins by at least ``margin`` logits, and is one to get to; (B,) bool.

    That class is the target, or for an untargeted goal any but the present one.
    """
    logits_BK = logits_BK.detach()
    own_B = logits_BK.gather(1, seen_as_B[:, None])[:, 0]
    wins_B = logits_BK.argmax(1) == seen_as_B
    if margin > 0:
        wins_B &= own_B - logits_BK.scatter(1, seen_as_B[:, None], float("-inf")).amax(1) >= margin
    return wins_B


class BestIterate:
    """The best iterate of every sample so far: among hits the one with the smallest map loss, or the smallest change.

    Args:
        rule: map (the smallest l_int) or size (the smallest L2 norm of x' - x). margin: of a hit, in logits.
    """

    def __init__(self, image_BCHW: Tensor, goal: Goal, rule: str, margin: float = 0.0) -> None:
        self.original_BCHW, self.goal, self.rule, self.margin = image_BCHW, goal, rule, margin
        self.image_BCHW = image_BCHW.clone()
        self.hit_B = torch.zeros(len(image_BCHW), dtype=torch.bool, device=image_BCHW.device)
        self.cost_B = image_BCHW.new_full((len(image_BCHW),), float("inf"))

    def _cost(self, image_BCHW: Tensor, seen: Explanation) -> Tensor:
        if self.rule == "size":
            return (image_BCHW - self.original_BCHW).flatten(1).norm(dim=1)
        if self.goal.map_Bhw is None or seen.map_Bhw.numel() == 0:
            return torch.full_like(self.cost_B, float("nan"))
        return map_loss(seen.map_Bhw.detach(), self.goal.map_Bhw)

    @torch.no_grad()
    def update(self, image_BCHW: Tensor, seen: Explanation, seen_as_B: Tensor) -> None:
        """One iterate on the way."""
        hit_B = reaches_goal(seen.logits_BK, seen_as_B, self.margin)
        cost_B = self._cost(image_BCHW.detach(), seen)
        self._take(hit_B & (cost_B < self.cost_B), image_BCHW, hit_B, cost_B)

    @torch.no_grad()
    def finalize(self, image_BCHW: Tensor, seen: Explanation, seen_as_B: Tensor) -> None:
        """The last iterate: taken where it is better, and wherever none has hit."""
        hit_B = reaches_goal(seen.logits_BK, seen_as_B, self.margin)
        cost_B = self._cost(image_BCHW.detach(), seen)
        self._take((hit_B & (cost_B < self.cost_B)) | ~self.hit_B, image_BCHW, hit_B, cost_B)

    def _take(self, which_B: Tensor, image_BCHW: Tensor, hit_B: Tensor, cost_B: Tensor) -> None:
        self.image_BCHW = torch.where(which_B[:, None, None, None], image_BCHW.detach(), self.image_BCHW)
        self.hit_B = torch.where(which_B, hit_B, self.hit_B)
        self.cost_B = torch.where(which_B, cost_B, self.cost_B)
