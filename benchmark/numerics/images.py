"""Small operations on images and maps that several rooms need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def stand_in(interpreter: Any, kind: str) -> Any:
    """What an interpreter offers under that name (attacked, remembering, side_by_side), or the interpreter itself."""
    offer = getattr(interpreter, kind, None)
    return interpreter if offer is None else offer()


def check_classes(class_B: Tensor, num_classes: int) -> None:
    """Raises a ValueError that names the first class outside [0, num_classes)."""
    outside = (class_B < 0) | (class_B >= num_classes)
    if outside.any():
        raise ValueError(
            f"class {int(class_B[outside][0])} was asked for and the classifier has the classes 0 to {num_classes - 1}"
        )


def to_bytes(image_BCHW: Tensor) -> Tensor:
    """Images in [0, 1] rounded to 8 bit, uint8."""
    return (image_BCHW.clamp(0, 1) * 255).round().to(torch.uint8)


def from_bytes(image_BCHW: Tensor) -> Tensor:
    """uint8 images as float32 multiples of 1/255 in [0, 1]."""
    return image_BCHW.float() / 255
