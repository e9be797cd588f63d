"""Update rules of gradient descent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmark.numerics.roots import square_root

# (parameter, gradient, image) to the next parameter.
UpdateRule = Callable[[Tensor, Tensor, Tensor], Tensor]


class Adam:
    """Adam (Kingma & Ba, 2015), one step a call; elementwise, so that samples stay independent.

    A step is differentiable in the gradient, also at zero, so that gradients can be taken through several steps.

    Args:
        lr: step size, in units of the parameter. floor: epsilon, added to the root of the mean square.
    Raises:
        ValueError: lr not above 0.
    """

    STATE = ("count", "mean", "square")  # what changes from step to step, see benchmark/probes/kept_state.py

    def __init__(self, *, lr: float, beta_1: float = 0.9, beta_2: float = 0.999, floor: float = 1e-8) -> None:
        if not lr > 0:
            raise ValueError(f"lr is Adam's step size, above 0, got {lr}: set probe.lr or interpreter.lr")
        self.lr, self.beta_1, self.beta_2, self.floor = lr, beta_1, beta_2, floor
        self.count = 0
        self.mean: Tensor | None = None
        self.square: Tensor | None = None

    def __call__(self, parameter: Tensor, gradient: Tensor, image_BCHW: Tensor | None = None) -> Tensor:
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.count += 1
        self.mean = self.beta_1 * self.mean + (1 - self.beta_1) * gradient
        self.square = self.beta_2 * self.square + (1 - self.beta_2) * gradient.square()
        mean = self.mean / (1 - self.beta_1**self.count)
        square = self.square / (1 - self.beta_2**self.count)
        # floor^4 under the root: its derivative at a gradient of exactly zero is finite
        return parameter - self.lr * mean / (square_root(square + self.floor**4) + self.floor)
