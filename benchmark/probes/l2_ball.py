"""The L2 ball: steps along the gradient with projection."""

from __future__ import annotations

import copy

from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.adam import UpdateRule
from benchmark.numerics.bounds import Positive, WholePositive, checked_arguments
from benchmark.numerics.roots import square_root


class L2Ball:
    """x <- clip_[0,1](x0 + P(x - alpha g / ||g||_2 - x0)), P the projection onto ||.||_2 <= radius.

    The parameter is the image itself.

    Args:
        radius: of the ball, ||x' - x||_2 over pixels and channels, in image units. step_size: alpha, same units.
    Raises:
        ValueError: either not above 0.
    """

    @checked_arguments
    def __init__(self, *, radius: Positive, step_size: Positive = 0.1) -> None:
        self.radius, self.step_size, self.projects = radius, step_size, True

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        return image_BCHW.clone()

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return parameter

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> None:
        return None

    def optimizer(self) -> UpdateRule:
        return self.step

    def without_bound(self, steps: WholePositive) -> L2Ball:
        """Steps that are projected onto [0, 1] alone; so many go ten times as far as the ball reaches."""
        other = copy.copy(self)
        other.radius, other.projects = 10 * self.radius, False
        other.step_size = max(self.step_size, other.radius / steps)
        return other

    def step(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        """One step along the gradient, projected onto the ball and onto [0, 1]."""
        return self.project(parameter - self.step_size * self.steepest(gradient), image_BCHW)

    def random_point(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """A point at a uniform share of the radius in a direction drawn uniformly, clipped to [0, 1]."""
        direction = self.steepest(rng.normal(key_B, *image_BCHW.shape[1:]))
        share_B = rng.uniform(key_B ^ 1, 1)[:, :, None, None]
        return (image_BCHW + self.radius * share_B * direction).clamp(0, 1)

    def project(self, point_BCHW: Tensor, image_BCHW: Tensor) -> Tensor:
        """Onto the ball around the image, then onto [0, 1], which does not leave the ball."""
        if not self.projects:
            return point_BCHW.clamp(0, 1)
        change = point_BCHW - image_BCHW
        return (image_BCHW + change * (self.radius / norm(change)).clamp(max=1)).clamp(0, 1)

    def steepest(self, gradient_BCHW: Tensor) -> Tensor:
        """g / ||g||_2: of all steps of L2 norm 1 the one along which the loss rises most."""
        return gradient_BCHW / norm(gradient_BCHW)

    def bounded(self, direction_BCHW: Tensor) -> Tensor:
        """The direction, scaled to the L2 norm 1."""
        return self.steepest(direction_BCHW)


def norm(tensor_BCHW: Tensor) -> Tensor:
    """||.||_2 per sample, (B, 1, 1, 1)."""
    return square_root(tensor_BCHW.square().sum(dim=(1, 2, 3), keepdim=True)).clamp(min=1e-12)
