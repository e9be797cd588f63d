"""The one place where raw attributions become maps in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def min_max(raw_Bhw: Tensor) -> Tensor:
    """(m - min m) / (max m - min m) per sample, (B, h, w) in [0, 1]; a constant map becomes 0, its gradient finite."""
    flat = raw_Bhw.flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    spread = high - low
    constant = spread <= 1e-12 * high.abs().clamp(min=1e-30)
    scale = torch.where(constant, torch.ones_like(spread), spread)
    scaled = (raw_Bhw - low[:, None, None]) / scale[:, None, None]
    return torch.where(constant[:, None, None], torch.zeros_like(scaled), scaled)


def pooled_magnitude(attribution_BCHW: Tensor, pool: int) -> Tensor:
    """|attribution|, the largest channel, averaged over pool x pixels, min-max normalised: (B, H / pool, W / pool)."""
    magnitude = attribution_BCHW.abs().amax(1, keepdim=True)
    return min_max(F.avg_pool2d(magnitude, pool)[:, 0])
