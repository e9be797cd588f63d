"""Adversarial Interpretation Distillation: train an interpreter to tell the adversarial input apart.

L(x) = L_map(x) + lambda_aid L_aid(x), L_aid(x) = -||g(x) - g(A(x))||_1, A the ADV2 attack on the current g
("Interpretable Deep Learning under Fire", Defense 2: Adversarial Interpretation). The mean over pixels stands for the
L1 norm. There are two objectives: the paper's, whose reward is unbounded; and the anchored one, whose reward is capped
at kappa and which also keeps benign maps close to those at the start.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.objectives.distances import l1


def distillation_loss(distance_B: Tensor, counted_B: Tensor, cap: float | None, count: Tensor | None = None) -> Tensor:
    """L_aid = -mean d (the paper's, ``cap`` None) or -mean min(d, cap) (anchored), over the counted samples.

    Zero where no sample counts. ``count`` replaces the number of counted samples; in a distributed step it is the mean
    of that number over the processes.
    """
    reward_B = distance_B if cap is None else distance_B.clamp(max=cap)
    total = counted_B.sum() if count is None else count
    return -(reward_B * counted_B).sum() / torch.where(total > 0, total, 1)


def anchor_loss(map_Bhw: Tensor, anchor_Bhw: Tensor) -> Tensor:
    """mean |g(x; c) - RTS_0(x; c)|: how far the benign maps are from those at the start."""
    return l1(map_Bhw, anchor_Bhw).mean()
