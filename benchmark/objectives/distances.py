"""The distance between two attribution maps that training rewards and the measures report."""

from __future__ import annotations

from torch import Tensor


def l1(map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """Mean over pixels of |a - b|, per sample (B,), in [0, 1]."""
    return (map_Bhw - other_Bhw).abs().flatten(1).mean(1)
