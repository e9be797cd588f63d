"""How a perturbation changes the image and the classifier's decision."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.numerics.roots import square_root


def perturbation(benign_BCHW: Tensor, perturbed_BCHW: Tensor) -> dict[str, Tensor]:
    """Size of x' - x per sample: the largest change of a pixel, and the Euclidean norm, in image units."""
    change = (perturbed_BCHW - benign_BCHW).flatten(1)
    return {"linf": change.abs().amax(1), "l2_norm": square_root(change.square().sum(1))}


def decision(logits_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Predicted class (B,) and its softmax confidence (B,)."""
    confidence_B, class_B = logits_BK.softmax(1).max(1)
    return class_B, confidence_B


def success(pred_benign_B: Tensor, pred_probe_B: Tensor, goal_B: Tensor) -> Tensor:
    """Targeted (goal >= 0): classified as the goal. Otherwise: no longer classified as before. (B,) bool."""
    return torch.where(goal_B >= 0, pred_probe_B == goal_B, pred_probe_B != pred_benign_B)
