"""The L-infinity ball: sign-gradient descent with projection."""

from __future__ import annotations

from torch import Tensor

from benchmark import draws


class LinfBall:
    """x <- clip_[0,1](x0 + clip_[-eps,eps](x - alpha sign(gradient) - x0)); the parameter is the image itself.

    Args:
        epsilon: perturbation budget, in image units (8/255 is about 0.031).
        step_size: alpha, same units.
        random_start: start uniformly in the ball, drawn per sample, rather than at the image.
    Raises:
        ValueError: a budget or step size that cannot attack.
    """

    def __init__(self, *, epsilon: float, step_size: float, random_start: bool = False) -> None:
        if not 0 <= epsilon <= 1:
            raise ValueError(
                f"probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got {epsilon}"
                + ("; divide pixel values by 255" if epsilon > 1 else "")
            )
        if not step_size > 0:
            raise ValueError(f"probe.step_size must be above 0 (1/255 = 0.0039 is usual), got {step_size}")
        self.epsilon, self.step_size, self.random_start = epsilon, step_size, random_start

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        if not self.random_start:
            return image_BCHW.clone()
        noise = 2 * draws.uniform(key_B, *image_BCHW.shape[1:]) - 1
        return (image_BCHW + self.epsilon * noise).clamp(0, 1)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return parameter

    def step(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        moved = parameter - self.step_size * gradient.sign()
        return (image_BCHW + (moved - image_BCHW).clamp(-self.epsilon, self.epsilon)).clamp(0, 1)
