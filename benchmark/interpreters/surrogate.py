"""Copies of a classifier with the same weights and other activations, for attacks on maps that are gradients.

The second derivative of a piecewise linear activation is zero, or not implemented: a map that is the gradient of such
a network has no useful gradient itself. Copies have softplus in place of every kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.numerics.modules import freeze, weight_sharing_copy
from benchmark.types import Classifier


class SmoothClip(nn.Module):
    """scale * clip(x + shift, 0, top) with softplus(beta) at both corners; times x where it ``gates``."""

    def __init__(self, beta: float, *, shift: float = 0.0, top: float = 6.0, scale: float = 1.0, gates: bool = False):
        super().__init__()
        self.beta, self.shift, self.top, self.scale, self.gates = beta, shift, top, scale, gates

    def forward(self, value: Tensor) -> Tensor:
        at = value + self.shift
        clipped = self.scale * (F.softplus(at, beta=self.beta) - F.softplus(at - self.top, beta=self.beta))
        return value * clipped if self.gates else clipped


def smooth(activation: nn.Module, beta: float) -> nn.Module | None:
    """A smooth activation for one with kinks; None for one that is smooth already (GELU, SiLU, sigmoid)."""
    name = type(activation).__name__.lower()
    if name == "relu":
        return nn.Softplus(beta=beta)
    if name == "relu6":
        return SmoothClip(beta)
    if name in ("hardsigmoid", "hardswish"):
        return SmoothClip(beta, shift=3.0, scale=1 / 6, gates=name == "hardswish")
    if name == "leakyrelu":
        return SmoothLeak(beta, activation.negative_slope)  # type: ignore[arg-type]
    return None


class SmoothLeak(nn.Module):
    """slope x + (1 - slope) softplus(x)."""

    def __init__(self, beta: float, slope: float) -> None:
        super().__init__()
        self.beta, self.slope = beta, slope

    def forward(self, value: Tensor) -> Tensor:
        return self.slope * value + (1 - self.slope) * F.softplus(value, beta=self.beta)


def check_beta(beta: float) -> None:
    """Raises a ValueError unless beta is a finite number above 0."""
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 < beta < math.inf:
        raise ValueError(
            f"interpreter.beta sharpens the surrogate's softplus and must be a number above 0, got {beta!r}"
        )


def smooth_copy(classifier: Classifier, beta: float) -> Classifier:
    """The classifier with smooth activations and the same weights; the activations of smooth nets stay as they are.

    Raises:
        ValueError: beta not above 0.
    """
    check_beta(beta)
    return copy_with(classifier, lambda activation: smooth(activation, beta))


def copy_with(classifier: Classifier, replace: Callable[[nn.Module], nn.Module | None]) -> Classifier:
    """A frozen copy with the same weights and other activations, whose passes count as the classifier's."""
    return freeze(weight_sharing_copy(classifier, replace, shared=[classifier.passes]))
