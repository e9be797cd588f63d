"""The L-infinity ball: sign-gradient descent with projection."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.adam import UpdateRule
from benchmark.numerics.bounds import Epsilon, StepSize, WholePositive, checked_arguments
from benchmark.numerics.roots import square_root

# The weakest edge that 8 bits can show, one level in one channel: what is weaker is the rounding of a flat image.
_LEAST_EDGE = 1 / (3 * 255)


class LinfBall:
    """x <- clip_[0,1](x0 + clip_[-eps,eps](x - alpha sign(gradient) - x0)); the parameter is the image itself.

    Args:
        epsilon: perturbation budget, in image units (8/255 is about 0.031).
        step_size: alpha, same units.
        random_start: start at a point of the ball drawn uniformly per sample, not at the image.
        edges: multiply the step of every pixel by its :func:`edge_weight` (AdvEdge, Abdukhamidov et al., 2021).
    Raises:
        ValueError: epsilon outside [0, 1], or a step size not above 0.
    """

    @checked_arguments
    def __init__(
        self, *, epsilon: Epsilon, step_size: StepSize, random_start: bool = False, edges: bool = False
    ) -> None:
        self.epsilon, self.step_size, self.random_start = epsilon, step_size, random_start
        self.edges = edges

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        if not self.random_start:
            return image_BCHW.clone()
        noise = 2 * rng.uniform(key_B, *image_BCHW.shape[1:]) - 1
        return (image_BCHW + self.epsilon * noise).clamp(0, 1)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return parameter

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> None:
        return None

    def optimizer(self) -> UpdateRule:
        return self.step

    def without_bound(self, steps: WholePositive) -> LinfBall:
        """The ball of epsilon 1, which holds every image; so many steps cross the range of a pixel."""
        other = copy.copy(self)
        other.epsilon, other.step_size = 1.0, max(self.step_size, 1 / steps)
        return other

    def step(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        """One step against the sign of the gradient, projected onto the ball and onto [0, 1]."""
        size = self.step_size * edge_weight(image_BCHW) if self.edges else self.step_size
        moved = gradient.sign().mul_(size)  # one new tensor, then in place: allocations dominate the cost
        torch.sub(parameter, moved, out=moved)
        return moved.sub_(image_BCHW).clamp_(-self.epsilon, self.epsilon).add_(image_BCHW).clamp_(0, 1)


def edge_weight(image_BCHW: Tensor) -> Tensor:
    """Sobel magnitude of the mean channel over its largest value, (B, 1, H, W) in [0, 1]; about 0 for a flat one."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=image_BCHW.device)
    both = torch.stack([kernel, kernel.T])[:, None].to(image_BCHW.dtype)
    grey = F.pad(image_BCHW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    strength = square_root(F.conv2d(grey, both).square().sum(1, keepdim=True))
    return strength / strength.amax(dim=(2, 3), keepdim=True).clamp(min=_LEAST_EDGE)
