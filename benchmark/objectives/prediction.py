"""l_prd: what pulls the classifier towards the target class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchmark.types import Explanation, Goal


def prediction_loss(logits_BK: Tensor, target_B: Tensor) -> Tensor:
    """l_prd(f(x'), t) = cross-entropy of the logits towards the target class, per sample (B,), >= 0."""
    return F.cross_entropy(logits_BK, target_B, reduction="none")


class Prediction:
    """The objective of PGD: l_prd alone, no map is looked at."""

    needs_map = False

    def __call__(self, seen: Explanation, goal: Goal, progress: float) -> Tensor:
        return prediction_loss(seen.logits_BK, goal.target_B)
