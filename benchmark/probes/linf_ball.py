"""The L-infinity ball: sign-gradient descent with projection."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.adam import UpdateRule
from benchmark.numerics.bounds import Epsilon, Fraction, StepSize, UnitInterval, WholePositive, checked_arguments
from benchmark.numerics.roots import square_root

# The weakest edge that 8 bits can show, one level in one channel: what is weaker is the rounding of a flat image.
_LEAST_EDGE = 1 / (3 * 255)


class LinfBall:
    """x <- clip_[0,1](x0 + clip_[-eps,eps](x - alpha sign(gradient) - x0)); the parameter is the image itself.

    Args:
        epsilon: perturbation budget, in image units (8/255 is about 0.031).
        step_size: alpha, same units.
        random_start: start at a point drawn uniformly per sample, not at the image.
        start_radius: of the ball that this point is drawn from; None for epsilon.
        momentum: mu of the momentum iterative method (Dong et al., CVPR 2018): steps follow the sign of
            v <- mu v + gradient / ||gradient||_1, per sample; 0 is the plain sign.
        decay: factor of the step size from one step to the next, in (0, 1].
        edges: multiply the step of every pixel by its :func:`edge_weight` (AdvEdge, Abdukhamidov et al., 2021).
    Raises:
        ValueError: epsilon outside [0, 1], a step size not above 0, or a start outside the ball.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        epsilon: Epsilon,
        step_size: StepSize = 1 / 255,
        random_start: bool = False,
        start_radius: Epsilon | None = None,
        momentum: Fraction = 0.0,
        decay: UnitInterval = 1.0,
        edges: bool = False,
    ) -> None:
        if start_radius is not None and start_radius > epsilon:
            raise ValueError(f"start_radius is at most epsilon ({epsilon:g}), got {start_radius:g}")
        self.epsilon, self.step_size, self.random_start = epsilon, step_size, random_start
        self.start_radius = epsilon if start_radius is None else start_radius
        self.momentum, self.decay, self.edges = momentum, decay, edges

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        return self.random_point(image_BCHW, key_B) if self.random_start else image_BCHW.clone()

    def random_point(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """A point drawn uniformly from the ball, clipped to [0, 1]."""
        noise = 2 * rng.uniform(key_B, *image_BCHW.shape[1:]) - 1
        return (image_BCHW + self.start_radius * noise).clamp(0, 1)

    @property
    def radius(self) -> float:
        """epsilon: ||x' - x||_inf is at most this."""
        return self.epsilon

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return parameter

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> None:
        return None

    def optimizer(self) -> UpdateRule:
        return _MomentumSign(self) if self.momentum > 0 or self.decay < 1 else self.step

    def without_bound(self, steps: WholePositive) -> LinfBall:
        """The ball of epsilon 1, which holds every image; so many steps cross the range of a pixel."""
        other = copy.copy(self)
        other.epsilon, other.step_size = 1.0, max(self.step_size, 1 / steps)
        return other

    def step(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor, factor: float = 1.0) -> Tensor:
        """One step of ``factor`` times its size against the sign, projected onto the ball and onto [0, 1]."""
        size = factor * self.step_size * edge_weight(image_BCHW) if self.edges else factor * self.step_size
        moved = gradient.sign().mul_(size)  # one new tensor, then in place: allocations dominate the cost
        torch.sub(parameter, moved, out=moved)
        return moved.sub_(image_BCHW).clamp_(-self.epsilon, self.epsilon).add_(image_BCHW).clamp_(0, 1)

    def project(self, point_BCHW: Tensor, image_BCHW: Tensor) -> Tensor:
        """Onto the ball around the image and onto [0, 1]."""
        return (image_BCHW + (point_BCHW - image_BCHW).clamp(-self.epsilon, self.epsilon)).clamp(0, 1)

    def steepest(self, gradient_BCHW: Tensor) -> Tensor:
        """sign(g): of all steps of L-infinity norm 1 the one along which the loss rises most."""
        return gradient_BCHW.sign()

    def bounded(self, direction_BCHW: Tensor) -> Tensor:
        """The direction, no larger than 1 in any pixel."""
        return direction_BCHW.clamp(-1, 1)


class _MomentumSign:
    """The steps of a ball along the momentum of the gradients, ever smaller; of one run of an attack."""

    STATE = ("factor", "velocity")

    def __init__(self, ball: LinfBall) -> None:
        self.ball, self.factor = ball, 1.0
        self.velocity: Tensor | None = None

    def __call__(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        size_B = gradient.abs().flatten(1).sum(1).clamp(min=torch.finfo(gradient.dtype).tiny)
        normalised = gradient / size_B.view(-1, *[1] * (gradient.ndim - 1))
        self.velocity = normalised if self.velocity is None else self.ball.momentum * self.velocity + normalised
        moved = self.ball.step(parameter, self.velocity, image_BCHW, self.factor)
        self.factor *= self.ball.decay
        return moved


def edge_weight(image_BCHW: Tensor) -> Tensor:
    """Sobel magnitude of the mean channel over its largest value, (B, 1, H, W) in [0, 1]; about 0 for a flat one."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=image_BCHW.device)
    both = torch.stack([kernel, kernel.T])[:, None].to(image_BCHW.dtype)
    grey = F.pad(image_BCHW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    strength = square_root(F.conv2d(grey, both).square().sum(1, keepdim=True))
    return strength / strength.amax(dim=(2, 3), keepdim=True).clamp(min=_LEAST_EDGE)
