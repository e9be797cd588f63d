"""A stand-in with the same weights and smooth activations, for attacks on maps that are gradients.

Of a piecewise linear activation the second derivative is zero, or not implemented: its net's gradient cannot be
followed in the image. softplus takes the place of every kink.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.numerics.modules import freeze
from benchmark.types import ClassifierModule


class SmoothClip(nn.Module):
    """clip(x + shift, 0, top) with softplus(beta) at both corners, times ``scale``; times x where it ``gates``."""

    def __init__(self, beta: float, *, shift: float = 0.0, top: float = 6.0, scale: float = 1.0, gates: bool = False):
        super().__init__()
        self.beta, self.shift, self.top, self.scale, self.gates = beta, shift, top, scale, gates

    def forward(self, value: Tensor) -> Tensor:
        at = value + self.shift
        clipped = self.scale * (F.softplus(at, beta=self.beta) - F.softplus(at - self.top, beta=self.beta))
        return value * clipped if self.gates else clipped


def smooth(activation: nn.Module, beta: float) -> nn.Module | None:
    """What takes the place of an activation with kinks; None for one without (GELU, SiLU, sigmoid)."""
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
    """Raises a ValueError where the surrogate's softplus would be none."""
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 < beta < math.inf:
        raise ValueError(
            f"interpreter.beta sharpens the surrogate's softplus and must be a number above 0, got {beta!r}"
        )


def smooth_copy(classifier: ClassifierModule, beta: float) -> ClassifierModule:
    """The classifier with smooth activations, its weights shared; smooth nets (GELU, SiLU) come back alike.

    Raises:
        ValueError: beta not above 0.
    """
    check_beta(beta)
    return freeze(shared_copy(classifier, lambda activation: smooth(activation, beta)))


def shared_copy(classifier: ClassifierModule, replace: Callable[[nn.Module], nn.Module | None]) -> ClassifierModule:
    """A copy with the very same weights, and ``replace(module)`` in place of every module that it is not None for."""
    kept: dict[int, Any] = {id(tensor): tensor for tensor in (*classifier.parameters(), *classifier.buffers())}
    if hasattr(classifier, "passes"):  # the copy's passes are counted as the classifier's
        kept[id(classifier.passes)] = classifier.passes
    other = copy.deepcopy(classifier, memo=dict(kept))
    for module in list(other.modules()):
        for name, child in module.named_children():
            if (instead := replace(child)) is not None:
                setattr(module, name, instead)
    return other
