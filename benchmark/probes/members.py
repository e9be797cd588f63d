"""The descents that ``adv2_auto`` is made of: how each steps, what it minimises, and how it weighs the map."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics.adam import Adam
from benchmark.numerics.bounds import Fraction, Label, NonNegative, Positive, UnitInterval, Weight, checked_arguments
from benchmark.objectives.distances import l1
from benchmark.objectives.joint import map_loss
from benchmark.objectives.margin import margin
from benchmark.types import Ball

# By how many logits a class has to hold: below it the hinge pulls, above it all steps are the map's.
LEAST_MARGIN = 0.1
# By what c is multiplied at every step, where the class holds and where it does not.
RAISED, LOWERED = 1.1, 0.8
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-3, 1e6
MOMENTUM = 0.75


@checked_arguments
@dataclass(frozen=True)
class Member:
    """One descent on l_prd + c d(g(x'; t), m_t), of ``share`` of the attack's passes.

    Args:
        name: in records. share: of the attack's passes.
        rule: sign, or the sign of a momentum of gradients divided by their mean magnitude, or Adam on such gradients
            (in other balls than the L-infinity ball their own steepest direction in place of the sign).
        prediction: l_prd, cross-entropy towards t; or max(0, 0.1 - margin), which is zero once the class holds.
        distance: d, the mean of |g - m_t| (l1) or of its square (square).
        weight: c at the start. adapts: whether c is multiplied by 1.1 at every step where the class holds and by 0.8
            where it does not, per sample; else it rises over all of the member's steps from c to 2c.
        warmup: share of its steps on l_prd alone.
        start: the image, a random point of the ball, or the best iterate so far.
        first_step, last_step: size of the step in radii of the ball, from the first to the last along half a cosine.
    """

    name: Label
    share: UnitInterval
    rule: Literal["sign", "momentum", "adam"]
    prediction: Literal["cross_entropy", "margin"]
    distance: Literal["l1", "square"]
    weight: Weight
    adapts: bool
    warmup: Fraction
    start: Literal["image", "random", "best"]
    first_step: Positive
    last_step: NonNegative

    def step_size(self, progress: float) -> float:
        """In radii of the ball; ``progress`` rises from 0 to 1."""
        return self.last_step + (self.first_step - self.last_step) * (1 + math.cos(math.pi * progress)) / 2

    def prediction_loss(self, logits_BK: Tensor, class_B: Tensor) -> Tensor:
        """l_prd (B,), >= 0."""
        if self.prediction == "cross_entropy":
            return F.cross_entropy(logits_BK, class_B, reduction="none")
        return (LEAST_MARGIN - margin(logits_BK, class_B)).clamp(min=0)

    def map_distance(self, map_Bhw: Tensor, goal_Bhw: Tensor) -> Tensor:
        """d (B,), >= 0."""
        return l1(map_Bhw, goal_Bhw) if self.distance == "l1" else map_loss(map_Bhw, goal_Bhw)

    def next_weight(self, weight_B: Tensor, holds_B: Tensor) -> Tensor:
        """c for the next step."""
        if not self.adapts:
            return weight_B
        changed_B = torch.where(holds_B, RAISED * weight_B, LOWERED * weight_B)
        return changed_B.clamp(SMALLEST_WEIGHT, LARGEST_WEIGHT)

    def direction(self, ball: Ball) -> Callable[[Tensor], Tensor]:
        """Gradients (B, C, H, W) to steps of norm 1 at most; a new one for every descent, for it has state."""
        if self.rule == "sign":
            return ball.steepest
        return _Momentum(ball) if self.rule == "momentum" else _AdamDirection(ball)


def scaled(gradient_BCHW: Tensor) -> Tensor:
    """g divided by the mean of |g| over the sample, so that early and late gradients weigh the same; 0 stays 0."""
    return gradient_BCHW / gradient_BCHW.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-20)


class _Momentum:
    """v <- 0.75 v + g / mean|g|, and the ball's steepest direction along v (MI-FGSM, Dong et al., 2018)."""

    STATE = ("velocity",)

    def __init__(self, ball: Ball) -> None:
        self.ball = ball
        self.velocity: Tensor | None = None

    def __call__(self, gradient_BCHW: Tensor) -> Tensor:
        before = torch.zeros_like(gradient_BCHW) if self.velocity is None else self.velocity
        self.velocity = MOMENTUM * before + scaled(gradient_BCHW)
        return self.ball.steepest(self.velocity)


class _AdamDirection:
    """Adam's step of size 1 on g / mean|g|, beta 0.9 and 0.99, bounded in the ball's norm."""

    STATE = ("adam",)

    def __init__(self, ball: Ball) -> None:
        self.ball, self.adam = ball, Adam(lr=1.0, beta_2=0.99)

    def __call__(self, gradient_BCHW: Tensor) -> Tensor:
        return self.ball.bounded(-self.adam(torch.zeros_like(gradient_BCHW), scaled(gradient_BCHW)))
