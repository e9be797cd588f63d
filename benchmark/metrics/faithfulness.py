"""Deletion and insertion: does the classifier's confidence follow the map's ranking? (Petsiuk et al., BMVC 2018)"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.numerics.images import at_image_size
from benchmark.objectives.evidence import gaussian_blur
from benchmark.types import Classifier

STEPS = 24


@torch.no_grad()
def deletion_and_insertion(
    classifier: Classifier, image_BCHW: Tensor, class_B: Tensor, map_Bhw: Tensor, blur: float
) -> tuple[Tensor, Tensor]:
    """Areas under the softmax confidence of ``class_B`` over 24 equal steps of pixels in the map's order, (B,) each.

    Deletion moves from the image to its blurred copy (``blur`` pixels), insertion the other way; low deletion and high
    insertion are faithful. Pixels are ranked on the map upsampled to the image, ties by index; trapezoid rule. Each
    curve ends where the other begins.
    """
    base = gaussian_blur(image_BCHW, blur)
    pixels = image_BCHW.shape[-2] * image_BCHW.shape[-1]
    order = at_image_size(map_Bhw, image_BCHW.shape[-2:]).flatten(1).argsort(dim=1, descending=True, stable=True)
    rank_B1HW = order.argsort(dim=1).view(-1, 1, *image_BCHW.shape[-2:])
    deleted, inserted = [], []
    for step in range(STEPS):
        top = rank_B1HW < round(step * pixels / STEPS)
        pair = torch.cat([torch.where(top, base, image_BCHW), torch.where(top, image_BCHW, base)])
        confidence = classifier(pair).softmax(1).gather(1, class_B.repeat(2)[:, None])[:, 0]
        deleted.append(confidence[: len(class_B)])
        inserted.append(confidence[len(class_B) :])
    deletion_SB, insertion_SB = torch.stack([*deleted, inserted[0]]), torch.stack([*inserted, deleted[0]])
    return torch.trapezoid(deletion_SB, dim=0) / STEPS, torch.trapezoid(insertion_SB, dim=0) / STEPS
