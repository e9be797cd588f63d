"""How a map spreads its weight over the image, whatever the places."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy(map_Bhw: Tensor) -> Tensor:
    """- sum p log p / log(h w), p the map over its sum, (B,), in [0, 1]: 1 where all places weigh the same, 0 for one.

    NaN for a map that is zero everywhere.
    """
    flat = map_Bhw.flatten(1)
    share_BP = flat / flat.sum(1, keepdim=True).clamp(min=1e-12)
    value_B = torch.special.entr(share_BP).sum(1) / math.log(flat.shape[1])
    return torch.where(flat.sum(1) > 0, value_B.clamp(0, 1), torch.nan)
