"""From raw attributions to maps in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def min_max(raw_Bhw: Tensor) -> Tensor:
    """(m - min m) / (max m - min m) per sample, (B, h, w) in [0, 1]; a constant map becomes 0, with a finite gradient.

    A map with an infinite value becomes NaN, which measures and attacks refuse.
    """
    flat = raw_Bhw.flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    spread = high - low
    constant = (spread <= 1e-12 * high.abs().clamp(min=1e-30)) & torch.isfinite(spread)
    scale = torch.where(constant, torch.ones_like(spread), spread)
    scaled = (raw_Bhw - low[:, None, None]) / scale[:, None, None]
    return torch.where(constant[:, None, None], torch.zeros_like(scaled), scaled)


def check_pool(pool: int, image_size: int) -> None:
    """Raises a ValueError unless pooling ``pool`` pixels divides the image's side."""
    if isinstance(pool, bool) or not isinstance(pool, int) or not 1 <= pool <= image_size or image_size % pool:
        raise ValueError(
            f"interpreter.pool is a number of pixels that divides the image's {image_size}, so that the map covers all "
            f"of it, got {pool!r}"
        )


def pooled_magnitude(attribution_BCHW: Tensor, pool: int) -> Tensor:
    """|attribution|, the largest channel, averaged over pool x pixels, min-max normalised: (B, H / pool, W / pool)."""
    magnitude = attribution_BCHW.abs().amax(1, keepdim=True)
    return min_max(F.avg_pool2d(magnitude, pool)[:, 0])
