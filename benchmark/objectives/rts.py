"""The objective of the real-time saliency masking network, Dabkowski & Gal, NeurIPS 2017.

L_map = L_dest + 8 L_area + lambda_tv L_tv + 0.3 L_pres: the class is lost without the evidence and kept by the evidence
alone, with a small and smooth map. A *fake* class (r = 0), drawn at random, has to yield an empty map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics.bounds import Weight, checked_arguments
from benchmark.objectives.margin import margin


@checked_arguments
@dataclass(frozen=True)
class MapWeights:
    """Weights of L_map's terms."""

    area: Weight = 8.0
    total_variation: Weight = 0.005
    preserve: Weight = 0.3
    border: Weight = 0.3


def must_win(z_B: Tensor, by: float) -> Tensor:
    """T(k) = relu(k - z)."""
    return F.relu(by - z_B)


def must_lose(z_B: Tensor, by: float) -> Tensor:
    """N(k) = relu(z + k)."""
    return F.relu(z_B + by)


def destroy_loss(z_B: Tensor, real_B: Tensor) -> Tensor:
    """L_dest = mean[r N(5) + (1 - r) T(1)] of the margins on the image without the evidence."""
    return torch.where(real_B, must_lose(z_B, 5.0), must_win(z_B, 1.0)).mean()


def preserve_loss(z_B: Tensor, real_B: Tensor) -> Tensor:
    """L_pres = mean[r T(1) + (1 - r) N(1)] of the margins on the evidence alone."""
    return torch.where(real_B, must_win(z_B, 1.0), must_lose(z_B, 1.0)).mean()


def area_loss(map_BHW: Tensor) -> Tensor:
    """L_area = mean (m + 5e-4)^0.3."""
    return (map_BHW + 5e-4).pow(0.3).mean()


def total_variation(map_BHW: Tensor, border: float) -> Tensor:
    """L_tv = [sum |d_h m|^2 + sum |d_w m|^2 + border * sum over the border of m^2] / (2 B)."""
    rows = map_BHW.diff(dim=1).square().sum()
    columns = map_BHW.diff(dim=2).square().sum()
    squared = map_BHW.square()
    edge = squared[:, [0, -1], :].sum() + squared[:, 1:-1, [0, -1]].sum()
    return (rows + columns + border * edge) / (2 * len(map_BHW))


def map_objective(
    destroyed_BK: Tensor, preserved_BK: Tensor, map_BHW: Tensor, label_B: Tensor, real_B: Tensor, weights: MapWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_map and its parts.

    Args:
        destroyed_BK: the classifier's logits on Phi(x, 1 - m); preserved_BK: on Phi(x, m).
        map_BHW: the map at image resolution. label_B: the true class y, also for fakes.
        real_B: r, False where the selector was given a fake class.
    """
    parts = {
        "destroy": destroy_loss(margin(destroyed_BK, label_B), real_B),
        "preserve": preserve_loss(margin(preserved_BK, label_B), real_B),
        "area": area_loss(map_BHW),
        "total_variation": total_variation(map_BHW, weights.border),
    }
    loss = (
        parts["destroy"]
        + weights.area * parts["area"]
        + weights.total_variation * parts["total_variation"]
        + weights.preserve * parts["preserve"]
    )
    return loss, parts
