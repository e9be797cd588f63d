"""What robust classifiers are trained by, beside the cross-entropy on attacked images (Madry et al., ICLR 2018).

TRADES (Zhang et al., ICML 2019): CE(f(x), y) + beta KL(f(x) || f(x')), x' in the ball, chosen to maximise the KL.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.types import Explanation, Goal


def divergence(reference_BK: Tensor, logits_BK: Tensor) -> Tensor:
    """KL(p || q) = sum_k p_k (log p_k - log q_k), p and q the softmax of both logits; per sample (B,), >= 0, in nat."""
    log_p_BK, log_q_BK = F.log_softmax(reference_BK, 1), F.log_softmax(logits_BK, 1)
    return (log_p_BK.exp() * (log_p_BK - log_q_BK)).sum(1)


def trades_loss(cross_entropy: Tensor, benign_BK: Tensor, adversarial_BK: Tensor, beta: float) -> Tensor:
    """CE + beta mean KL(f(x) || f(x')), a scalar; the gradient goes through both logits."""
    return cross_entropy + beta * divergence(benign_BK, adversarial_BK).mean()


class Divergence:
    """The objective of the attack inside TRADES: -KL(f(x) || f(x')), per sample (B,), without a map or a goal.

    Its gradient is zero at x' = x: the attack has to start beside the image.

    Args:
        reference_BK: the logits f(x), fixed.
    """

    needs_map = False

    def __init__(self, reference_BK: Tensor) -> None:
        self.reference_BK = reference_BK.detach()

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor:
        return -divergence(self.reference_BK, explanation.logits_BK)


def mixed_loss(benign_B: Tensor, adversarial_B: Tensor, share: float) -> Tensor:
    """(1 - share) mean CE(f(x), y) + share mean CE(f(x'), y), a scalar (Tramer et al., ICLR 2018)."""
    return torch.lerp(benign_B.mean(), adversarial_B.mean(), share)
