"""Small operations on images and maps that several rooms need."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def at_image_size(map_Bhw: Tensor, size: Sequence[int]) -> Tensor:
    """Maps upsampled bilinearly (align_corners=False) to (B, H, W)."""
    return F.interpolate(map_Bhw[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def top_region(map_Bhw: Tensor, share: float) -> Tensor:
    """The round(share h w) pixels of the highest values, (B, h, w) bool; ties go to the lower index."""
    flat = map_Bhw.flatten(1)
    count = min(max(round(share * flat.shape[1]), 0), flat.shape[1])
    order = torch.argsort(flat, dim=1, descending=True, stable=True)[:, :count]
    return torch.zeros_like(flat, dtype=torch.bool).scatter(1, order, True).view_as(map_Bhw)


def to_bytes(image_BCHW: Tensor) -> Tensor:
    """Images in [0, 1] rounded to 8 bit, uint8."""
    return (image_BCHW.clamp(0, 1) * 255).round().to(torch.uint8)


def from_bytes(image_BCHW: Tensor) -> Tensor:
    """uint8 images as float32 multiples of 1/255 in [0, 1]."""
    return image_BCHW.float() / 255


def quantise(image_BCHW: Tensor) -> Tensor:
    """Images in [0, 1] rounded to 8 bit, as float32 multiples of 1/255."""
    return from_bytes(to_bytes(image_BCHW))
