"""The box [0, 1] by a change of variables, x' = (tanh(w) + 1) / 2 (Carlini & Wagner, IEEE S&P 2017)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from benchmark.numerics.adam import Adam, UpdateRule
from benchmark.numerics.bounds import Positive, checked_arguments

# Pixels of exactly 0 or 1 have no finite w.
INSIDE = 1 - 1e-6


class TanhBox:
    """Any image in [0, 1]; there is no epsilon: the penalty is ||x' - x||_2^2 / c.

    Args:
        lr: Adam's step size on w. const: c > 0, the weight of the objective against the size; one number, or one per
            sample (B,).
    Raises:
        ValueError: a step size or const not above 0.
    """

    @checked_arguments
    def __init__(self, *, lr: Positive = 0.01, const: Positive | Tensor = 1.0) -> None:
        self.lr, self.const = lr, const

    def with_const(self, const_B: Tensor) -> TanhBox:
        """The same box with one const per sample."""
        other = copy.copy(self)
        other.const = const_B
        return other

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        return torch.atanh((2 * image_BCHW - 1) * INSIDE)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return (torch.tanh(parameter) + 1) / 2

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return (1 / self.const) * (self.apply(parameter, image_BCHW) - image_BCHW).square().flatten(1).sum(1)

    def optimizer(self) -> UpdateRule:
        return Adam(lr=self.lr)
