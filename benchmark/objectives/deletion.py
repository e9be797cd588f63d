"""The objective of the smallest deletion that loses the class (Fong & Vedaldi, ICCV 2017)."""

from __future__ import annotations

from torch import Tensor


def rough_power(map_Bhw: Tensor, power: float) -> Tensor:
    """Sum over neighbours of |difference|^power over the number of pixels, per sample (B,)."""
    rows = map_Bhw.diff(dim=1).abs().pow(power).flatten(1).sum(1)
    columns = map_Bhw.diff(dim=2).abs().pow(power).flatten(1).sum(1)
    return (rows + columns) / (map_Bhw.shape[1] * map_Bhw.shape[2])


def deletion_objective(
    logits_BK: Tensor, map_Bhw: Tensor, class_B: Tensor, *, area: float, smoothness: float, power: float
) -> Tensor:
    """softmax_c(f(x without m)) + area mean(m) + smoothness rough_power(m), per sample (B,).

    m is 1 where the image is deleted.

    Args:
        logits_BK: of the image from which the map has been deleted.
        area, smoothness: weights, >= 0. power: beta of the roughness, >= 1.
    """
    confidence_B = logits_BK.softmax(1).gather(1, class_B[:, None])[:, 0]
    return confidence_B + area * map_Bhw.flatten(1).mean(1) + smoothness * rough_power(map_Bhw, power)
