"""Adversarial Interpretation Distillation: train an interpreter to tell the adversarial input apart.

L(x) = L_map(x) + lambda_aid L_aid(x), L_aid(x) = -||g(x) - g(A(x))||_1, A the ADV2 attack on the current g
("Interpretable Deep Learning under Fire", Defense 2: Adversarial Interpretation). The mean over pixels stands for the
L1 norm. Two objectives, never mixed up: the paper's reward is unbounded; ours is capped at kappa and holds the benign
maps where they were.
"""

from __future__ import annotations

import torch
from torch import Tensor


def map_distance(map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """d = mean over pixels |m - m'|, per sample (B,), in [0, 1]."""
    return (map_Bhw - other_Bhw).abs().flatten(1).mean(1)


def distillation_loss(distance_B: Tensor, counted_B: Tensor, cap: float | None, count: Tensor | None = None) -> Tensor:
    """L_aid = -mean d (the paper's, ``cap`` None) or -mean min(d, cap) (anchored), over the counted samples.

    No counted sample gives zero, so that a batch without one leaves L_map alone. ``count`` stands for the number of
    counted ones where the batch is one share of several: their mean number.
    """
    reward_B = distance_B if cap is None else distance_B.clamp(max=cap)
    total = counted_B.sum() if count is None else count
    return -(reward_B * counted_B).sum() / torch.where(total > 0, total, 1)


def anchor_loss(map_Bhw: Tensor, anchor_Bhw: Tensor) -> Tensor:
    """mean |g(x; c) - RTS_0(x; c)|: how far the benign maps have moved from those at the start."""
    return map_distance(map_Bhw, anchor_Bhw).mean()
