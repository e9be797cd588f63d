"""Distances between two attribution maps, per sample, on the interpreter's own grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from benchmark.numerics.images import at_image_size, top_region
from benchmark.numerics.roots import square_root
from benchmark.objectives.distances import l1


def l2(map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """Root mean square of a - b, (B,), in [0, 1]."""
    return square_root((map_Bhw - other_Bhw).square().flatten(1).mean(1))


def overlap(region_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """Intersection over union of boolean regions, (B,), in [0, 1]; 1 for two empty regions."""
    intersection = (region_Bhw & other_Bhw).flatten(1).sum(1)
    union = (region_Bhw | other_Bhw).flatten(1).sum(1)
    return torch.where(union > 0, intersection / union.clamp(min=1), torch.ones_like(union, dtype=torch.float32))


def iou(map_Bhw: Tensor, other_Bhw: Tensor, threshold: float = 0.5) -> Tensor:
    """Overlap of the maps binarised at ``threshold`` (pixels >= threshold), (B,) in [0, 1]."""
    return overlap(map_Bhw >= threshold, other_Bhw >= threshold)


def topq_iou(map_Bhw: Tensor, other_Bhw: Tensor, share: float = 0.2) -> Tensor:
    """Overlap of the top ``share`` of pixels, (B,) in [0, 1]; does not depend on the scale of the maps."""
    return overlap(top_region(map_Bhw, share), top_region(other_Bhw, share))


def ssim(map_Bhw: Tensor, other_Bhw: Tensor, size: Sequence[int]) -> Tensor:
    """Structural similarity of the maps upsampled to the image, data range 1, (B,)."""
    first, second = (at_image_size(each, size)[:, None] for each in (map_Bhw, other_Bhw))
    value = structural_similarity_index_measure(first, second, data_range=1.0, reduction="none")
    assert isinstance(value, Tensor)
    return value.reshape(len(map_Bhw))


def spearman(map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """Spearman's rank correlation over pixels, (B,) in [-1, 1]; NaN where a map is constant."""
    ranks = [rankdata(each.flatten(1).cpu().numpy(), axis=1) for each in (map_Bhw, other_Bhw)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    value = np.divide((a * b).sum(1), scale, out=np.full(len(a), np.nan), where=scale > 0)
    return torch.from_numpy(value)


def centre_shift(map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
    """Distance between the centres of mass, in pixels of the map, (B,); the centre of an empty map is its middle."""
    return square_root((_centre(map_Bhw) - _centre(other_Bhw)).square().sum(1))


def _centre(map_Bhw: Tensor) -> Tensor:
    rows, columns = map_Bhw.shape[1:]
    weight = map_Bhw + 1e-12
    mass = weight.sum(dim=(1, 2))
    row = (weight.sum(2) * torch.arange(rows, device=weight.device)).sum(1) / mass
    column = (weight.sum(1) * torch.arange(columns, device=weight.device)).sum(1) / mass
    return torch.stack([row, column], 1)


def object_iou(map_Bhw: Tensor, mask_BHW: Tensor, threshold: float = 0.5) -> Tensor:
    """Overlap of the object's mask with the map, upsampled to the image and taken at >= ``threshold``; (B,), [0, 1].

    NaN for an empty mask: without an object there is nothing that a map could find.
    """
    value_B = overlap(at_image_size(map_Bhw, mask_BHW.shape[-2:]) >= threshold, mask_BHW)
    return torch.where(mask_BHW.flatten(1).any(1), value_B, torch.nan)


MIN_SIDE = 4
_CONSTANT = 1e-6  # a map whose values differ by no more is constant


def check_places(rows: int, columns: int) -> None:
    """Raises a ValueError where a map has too few places to say where anything is."""
    if min(rows, columns) < MIN_SIDE:
        raise ValueError(
            f"the interpreter's maps have {rows}x{columns} places, and a map needs at least {MIN_SIDE}x{MIN_SIDE} to "
            "say where something is: use larger images (data.image_size), a net of smaller stride "
            "(classifier.small_input=true or +classifier.options.output_stride=8 for a ResNet) or an interpreter with "
            "a finer grid (interpreter.blocks, interpreter.pool, interpreter.cells)"
        )


def has_map(map_Bhw: Tensor) -> Tensor:
    """Whether a map is not constant, (B,) bool: one that is ranks no place above another, and is no map."""
    flat = map_Bhw.flatten(1)
    return flat.amax(1) - flat.amin(1) > _CONSTANT


def compare(
    benign_Bhw: Tensor, perturbed_Bhw: Tensor, size: Sequence[int], threshold: float = 0.5, share: float = 0.2
) -> dict[str, Tensor]:
    """Every distance between benign and perturbed maps, under its column name."""
    return {
        "map_l1": l1(benign_Bhw, perturbed_Bhw),
        "map_l2": l2(benign_Bhw, perturbed_Bhw),
        "map_iou": iou(benign_Bhw, perturbed_Bhw, threshold),
        "map_topq_iou": topq_iou(benign_Bhw, perturbed_Bhw, share),
        "map_ssim": ssim(benign_Bhw, perturbed_Bhw, size),
        "map_spearman": spearman(benign_Bhw, perturbed_Bhw),
        "map_shift": centre_shift(benign_Bhw, perturbed_Bhw),
        "map_mean_benign": benign_Bhw.flatten(1).mean(1),
        "map_mean_probe": perturbed_Bhw.flatten(1).mean(1),
    }
