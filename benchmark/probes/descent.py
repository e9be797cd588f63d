"""How a perturbation's parameter moves against a gradient, with whatever it has to remember on the way."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (parameter, gradient, image) to the next parameter.
Descent = Callable[[Tensor, Tensor, Tensor], Tensor]


class Adam:
    """Adam (Kingma & Ba, 2015) on every element for itself, so that samples stay independent.

    Args:
        lr: step size, in units of the parameter.
    """

    def __init__(self, *, lr: float, beta_1: float = 0.9, beta_2: float = 0.999, floor: float = 1e-8) -> None:
        if not lr > 0:
            raise ValueError(f"probe.lr is Adam's step size, above 0, got {lr}")
        self.lr, self.beta_1, self.beta_2, self.floor = lr, beta_1, beta_2, floor
        self.count = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    def __call__(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor) -> Tensor:
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.count += 1
        self.mean = self.beta_1 * self.mean + (1 - self.beta_1) * gradient
        self.square = self.beta_2 * self.square + (1 - self.beta_2) * gradient.square()
        mean = self.mean / (1 - self.beta_1**self.count)
        square = self.square / (1 - self.beta_2**self.count)
        return parameter - self.lr * mean / (square.sqrt() + self.floor)
