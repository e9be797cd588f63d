"""Copies of a classifier with the same weights and other activations, for attacks on maps that are gradients.

The second derivative of a piecewise linear activation is zero, or not implemented: a map that is the gradient of such
a network has no useful gradient itself. Copies have softplus in place of every kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.numerics.modules import freeze, weight_sharing_copy
from benchmark.types import Classifier


class SmoothClip(nn.Module):
    """offset + scale * clip(x + shift, 0, top) with softplus(beta) at both corners; times x where it ``gates``."""

    def __init__(
        self,
        beta: float,
        *,
        shift: float = 0.0,
        top: float = 6.0,
        scale: float = 1.0,
        offset: float = 0.0,
        gates: bool = False,
    ) -> None:
        super().__init__()
        self.beta, self.shift, self.top, self.scale, self.offset, self.gates = beta, shift, top, scale, offset, gates

    def forward(self, value: Tensor) -> Tensor:
        at = value + self.shift
        clipped = self.scale * (F.softplus(at, beta=self.beta) - F.softplus(at - self.top, beta=self.beta))
        return value * clipped if self.gates else clipped + self.offset


class SmoothLeak(nn.Module):
    """slope x + (1 - slope) softplus(x); a slope for all channels, or one for each."""

    def __init__(self, beta: float, slope: float | nn.Parameter) -> None:
        super().__init__()
        self.beta, self.slope = beta, slope

    def forward(self, value: Tensor) -> Tensor:
        slope: float | Tensor = self.slope
        if isinstance(slope, Tensor) and slope.numel() > 1:
            slope = slope.view(-1, *[1] * (value.ndim - 2))
        return slope * value + (1 - slope) * F.softplus(value, beta=self.beta)


class SmoothELU(nn.Module):
    """scale * (alpha elu(x) + (1 - alpha) softplus(x)): an ELU has a kink unless alpha is 1."""

    def __init__(self, beta: float, alpha: float, scale: float = 1.0) -> None:
        super().__init__()
        self.beta, self.alpha, self.scale = beta, alpha, scale

    def forward(self, value: Tensor) -> Tensor:
        return self.scale * (self.alpha * F.elu(value) + (1 - self.alpha) * F.softplus(value, beta=self.beta))


# alpha and scale of SELU (Klambauer et al., NeurIPS 2017)
SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}

# A smooth activation for each with a kink, by the lower-case name of its class, which timm and torch share.
SMOOTH: dict[str, Callable[[Any, float], nn.Module]] = {
    "relu": lambda activation, beta: nn.Softplus(beta=beta),
    "relu6": lambda activation, beta: SmoothClip(beta),
    "hardtanh": lambda activation, beta: SmoothClip(
        beta,
        shift=-activation.min_val,
        top=activation.max_val - activation.min_val,
        offset=activation.min_val,
    ),
    "hardsigmoid": lambda activation, beta: SmoothClip(beta, shift=3.0, scale=1 / 6),
    "hardswish": lambda activation, beta: SmoothClip(beta, shift=3.0, scale=1 / 6, gates=True),
    "leakyrelu": lambda activation, beta: SmoothLeak(beta, activation.negative_slope),
    "prelu": lambda activation, beta: SmoothLeak(beta, activation.weight),
    "rrelu": lambda activation, beta: SmoothLeak(beta, (activation.lower + activation.upper) / 2),  # in eval mode
    "elu": lambda activation, beta: SmoothELU(beta, activation.alpha),
    "selu": lambda activation, beta: SmoothELU(beta, **SELU),
}


def smooth(activation: nn.Module, beta: float) -> nn.Module | None:
    """A smooth activation for one with kinks; None for one that is smooth already (GELU, SiLU, sigmoid) or unknown."""
    kind = type(activation).__name__.lower()
    if kind not in SMOOTH or (kind == "elu" and activation.alpha == 1):
        return None
    try:
        return SMOOTH[kind](activation, beta)
    except AttributeError:  # another class of that name
        return None


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
