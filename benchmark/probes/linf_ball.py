"""The L-infinity ball: sign-gradient descent with projection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark import draws
from benchmark.descent import Descent

# The weakest edge that 8 bits can show, one level in one channel: what is weaker is the rounding of a flat image.
_LEAST_EDGE = 1 / (3 * 255)


class LinfBall:
    """x <- clip_[0,1](x0 + clip_[-eps,eps](x - alpha sign(gradient) - x0)); the parameter is the image itself.

    Args:
        epsilon: perturbation budget, in image units (8/255 is about 0.031).
        step_size: alpha, same units.
        random_start: start uniformly in the ball, drawn per sample, rather than at the image.
        edges: weigh every pixel's step by the strength of the image's edge there (AdvEdge, Abdukhamidov et al., 2021).
    Raises:
        ValueError: a budget or step size that cannot attack.
    """

    def __init__(self, *, epsilon: float, step_size: float, random_start: bool = False, edges: bool = False) -> None:
        if not 0 <= epsilon <= 1:
            raise ValueError(
                f"probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got {epsilon}"
                + ("; divide pixel values by 255" if epsilon > 1 else "")
            )
        if not step_size > 0:
            raise ValueError(f"probe.step_size must be above 0 (1/255 = 0.0039 is usual), got {step_size}")
        self.epsilon, self.step_size, self.random_start = epsilon, step_size, random_start
        self.edges = edges

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        if not self.random_start:
            return image_BCHW.clone()
        noise = 2 * draws.uniform(key_B, *image_BCHW.shape[1:]) - 1
        return (image_BCHW + self.epsilon * noise).clamp(0, 1)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return parameter

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> None:
        return None

    def descent(self) -> Descent:
        return self.step

    def step(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        """One step against the sign of the gradient, and back into ball and range."""
        size = self.step_size * edge_weight(image_BCHW) if self.edges else self.step_size
        moved = gradient.sign().mul_(size)  # one new tensor, then in place: allocating costs more than counting
        torch.sub(parameter, moved, out=moved)
        return moved.sub_(image_BCHW).clamp_(-self.epsilon, self.epsilon).add_(image_BCHW).clamp_(0, 1)


def edge_weight(image_BCHW: Tensor) -> Tensor:
    """Sobel magnitude of the mean channel over its largest value, (B, 1, H, W) in [0, 1]; about 0 for a flat one."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=image_BCHW.device)
    both = torch.stack([kernel, kernel.T])[:, None].to(image_BCHW.dtype)
    grey = F.pad(image_BCHW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    strength = F.conv2d(grey, both).square().sum(1, keepdim=True).sqrt()
    return strength / strength.amax(dim=(2, 3), keepdim=True).clamp(min=_LEAST_EDGE)
