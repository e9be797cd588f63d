"""Does a map point at the object? Measures against a mask, or boxes, of where it is; per sample."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from benchmark.numerics.images import at_image_size

# Shares of a map's range at which its box may be cut out.
BOX_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
DEFAULT_BOX_THRESHOLD = 0.5  # where no calibration image has a box


def region_of_boxes(box_BM4: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels whose centre lies in a box, (B, H, W) bool; none where an image has no box."""
    row, column = (torch.arange(side, device=box_BM4.device) + 0.5 for side in size)
    left, top, right, bottom = (edge[..., None, None] for edge in box_BM4.unbind(-1))
    across = (left <= column) & (column < right)
    along = (top <= row[:, None]) & (row[:, None] < bottom)
    return (across & along).any(1)


def pointing_game(map_Bhw: Tensor, region_BHW: Tensor) -> Tensor:
    """Whether the map's largest value, upsampled to the image, lies on the object (Zhang et al., IJCV 2018), (B,).

    Of several largest values the share that does, so in [0, 1]; without the 15 px of tolerance of the paper. NaN where
    no object is known.
    """
    map_BP = at_image_size(map_Bhw, region_BHW.shape[-2:]).flatten(1)
    largest_BP = map_BP == map_BP.amax(1, keepdim=True)
    region_BP = region_BHW.flatten(1)
    hit_B = (largest_BP & region_BP).sum(1) / largest_BP.sum(1)
    return torch.where(region_BP.any(1), hit_B, torch.nan)


def energy_in_object(map_Bhw: Tensor, region_BHW: Tensor) -> Tensor:
    """The share of the map's sum, upsampled to the image, on the object (Wang et al., CVPR-W 2020), (B,), in [0, 1].

    NaN where no object is known, or the map is zero everywhere.
    """
    map_BP = at_image_size(map_Bhw, region_BHW.shape[-2:]).flatten(1)
    region_BP = region_BHW.flatten(1)
    total_B = map_BP.sum(1)
    known_B = region_BP.any(1) & (total_B > 0)
    return torch.where(known_B, (map_BP * region_BP).sum(1) / total_B.clamp(min=1e-12), torch.nan)


def map_box(map_HW: np.ndarray, threshold: float) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest connected region at or above a share of the map's range.

    Regions are connected along sides and corners (Zhou et al., CVPR 2016); of equal ones the first by row counts.
    """
    low, high = float(map_HW.min()), float(map_HW.max())
    labels, count = ndimage.label(map_HW >= low + threshold * (high - low), structure=np.ones((3, 3)))
    largest = 1 + int(np.argmax(np.bincount(labels.ravel(), minlength=count + 1)[1:]))
    rows, columns = ndimage.find_objects(labels)[largest - 1]
    return columns.start, rows.start, columns.stop, rows.stop


def box_iou(map_Bhw: Tensor, box_BM4: Tensor, size: tuple[int, int], threshold: float) -> Tensor:
    """Intersection over union of the map's box and the nearest of the object's boxes, (B,), in [0, 1].

    NaN where an image has no box.
    """
    map_BHW = at_image_size(map_Bhw, size).cpu().numpy()
    found = torch.tensor([map_box(each, threshold) for each in map_BHW], device=box_BM4.device, dtype=torch.float32)
    corner = torch.maximum(found[:, None, :2], box_BM4[..., :2])
    other = torch.minimum(found[:, None, 2:], box_BM4[..., 2:])
    shared_BM = (other - corner).clamp(min=0).prod(-1)
    union_BM = _area(found)[:, None] + _area(box_BM4) - shared_BM
    iou_BM = (shared_BM / union_BM).nan_to_num(nan=-1.0)
    best_B = iou_BM.amax(1)
    return torch.where(best_B < 0, torch.nan, best_B)


def box_iou_by_threshold(map_Bhw: Tensor, box_BM4: Tensor, size: tuple[int, int]) -> Tensor:
    """Box IoU at every one of ``BOX_THRESHOLDS``, (T, B)."""
    return torch.stack([box_iou(map_Bhw, box_BM4, size, threshold) for threshold in BOX_THRESHOLDS])


def _area(box: Tensor) -> Tensor:
    return (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
