"""What an attack tells about itself: how many passes it took, and whether it did what it could."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmark.types import Classifier, Explanation, Goal, Objective

# Before the names of facts and of curves in a file of perturbed images.
FACT, CURVE = "attack.", "curve."

# Below this value a loss counts as zero: its share that still falls says nothing.
LEAST_LOSS = 1e-3
_ALL = slice(None)


class PassMeter:
    """Passes since it was made: one is a forward and a backward of the classifier for one image, each counts half.

    They are read from the classifier's own count, so that what an interpreter passes beside is in (a surrogate, the
    noisy copies of SmoothGrad). A classifier that does not count gives 0.
    """

    STATE = ("halves",)

    def __init__(self, classifier: Classifier) -> None:
        self.counts: Mapping[str, int] = getattr(classifier, "passes", {})
        self.before = sum(self.counts.values())

    @property
    def halves(self) -> int:
        """Forward and backward passes, over all images; set where an attack goes on that has made some before."""
        return sum(self.counts.values()) - self.before

    @halves.setter
    def halves(self, count: int) -> None:
        self.before = sum(self.counts.values()) - count

    def passes(self) -> float:
        """Image passes, over all images."""
        return self.halves / 2


class LossCurve:
    """How far the best loss of a phase so far still fell over the last tenth of its steps.

    fall = (L_90 - L_100) / max(|L_90|, 0.001), >= 0, with L_p the smallest loss of the first p % of the steps; 0 is
    flat. Losses are taken at the weights of the phase's end, whatever the step's own weights are.
    """

    STATE = ("best_B", "before_B")

    def __init__(self, objective: Objective, steps: int) -> None:
        self.objective, self.last_tenth = objective, steps - max(steps // 10, 1)
        self.best_B: Tensor | None = None
        self.before_B: Tensor | None = None

    @torch.no_grad()
    def update(self, step: int, explanation: Explanation, goal: Goal, penalty_B: Tensor | None) -> None:
        """Takes the loss of one step of the phase."""
        loss_B = self.objective(explanation, goal, 1.0)
        if penalty_B is not None:
            loss_B = loss_B + penalty_B
        if step == self.last_tenth:
            self.before_B = self.best_B
        self.best_B = loss_B if self.best_B is None else torch.minimum(self.best_B, loss_B)

    def fall_B(self) -> Tensor | None:
        """(B,); None where the phase has fewer than two steps."""
        if self.best_B is None or self.before_B is None:
            return None
        return (self.before_B - self.best_B) / self.before_B.abs().clamp(min=LEAST_LOSS)


class SmallestCost:
    """The smallest cost of all iterates that reached the goal, kept apart from the choice that an attack makes.

    Args:
        cost_B: any costs of the samples, for their shape. margin: by how many logits a class has to win.
    """

    STATE = ("cost_B",)

    def __init__(self, cost_B: Tensor, margin: float = 0.0) -> None:
        self.cost_B, self.margin = torch.full_like(cost_B, float("inf")), margin

    @torch.no_grad()
    def update(self, logits_BK: Tensor, class_B: Tensor, cost_B: Tensor, rows: Tensor | slice = _ALL) -> None:
        """Takes one iterate of the samples in ``rows``, whose map is of ``class_B``; a NaN cost counts for nothing."""
        first_two = logits_BK.topk(2, dim=1)
        ahead_B = first_two.values[:, 0] - first_two.values[:, 1]
        reached_B = (first_two.indices[:, 0] == class_B) & (ahead_B >= self.margin)
        before_B = self.cost_B[rows]
        self.cost_B[rows] = torch.where(reached_B & (cost_B < before_B), cost_B, before_B)

    def is_below(self, cost_B: Tensor) -> Tensor:
        """Whether one of them is below the cost of what is returned, (B,) bool."""
        return self.cost_B < cost_B
