"""The box by change of variables: x' = (tanh(w) + 1) / 2 (Carlini & Wagner, IEEE S&P 2017)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from benchmark.numerics.adam import Adam, Descent

# Pixels of exactly 0 or 1 have no finite w.
INSIDE = 1 - 1e-6


class TanhBox:
    """Any image in [0, 1]; there is no epsilon: the loss is charged ``price`` times the squared L2 norm of x' - x.

    Args:
        lr: Adam's step size on w. price: one for all samples, or one a sample (B,); 1 / c in C&W's notation.
    Raises:
        ValueError: a step size or price that cannot attack.
    """

    def __init__(self, *, lr: float = 0.01, price: float | Tensor = 1.0) -> None:
        if isinstance(price, float | int) and not price >= 0:
            raise ValueError(f"probe.price weighs the size of the perturbation and must be >= 0, got {price}")
        Adam(lr=lr)  # says what is wrong with lr before anything starts
        self.lr, self.price = lr, price

    def priced(self, price_B: Tensor) -> TanhBox:
        """The same with a price for each sample."""
        other = copy.copy(self)
        other.price = price_B
        return other

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        return torch.atanh((2 * image_BCHW - 1) * INSIDE)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return (torch.tanh(parameter) + 1) / 2

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return self.price * (self.apply(parameter, image_BCHW) - image_BCHW).square().flatten(1).sum(1)

    def descent(self) -> Descent:
        return Adam(lr=self.lr)
