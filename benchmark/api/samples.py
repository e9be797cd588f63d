"""Images and labels as the suite's own population of samples, in fixed groups."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.data.array_set import ArraySet
from benchmark.data.groups import Population
from benchmark.numerics.images import to_bytes


def population_of(
    image_BCHW: Tensor, label_B: Tensor, prediction_B: Tensor, id_B: Tensor, source_B: Tensor
) -> Population:
    """Those samples, of all given, whose prediction is their label, in the order of their ids.

    Raises:
        ValueError: ids that repeat, or no sample that is classified right.
    """
    if len(id_B.unique()) < len(id_B):
        raise ValueError("ids must differ from sample to sample: random numbers are drawn by them")
    label_B, prediction_B = label_B.cpu(), prediction_B.cpu()
    classes = [str(label) for label in range(int(torch.cat([label_B, prediction_B]).max()) + 1)]
    arrays = {
        "image": to_bytes(image_BCHW.detach()).cpu(),
        "label": label_B,
        "sample_id": id_B.cpu(),
        "source_id": source_B.cpu(),
    }
    images = ArraySet(classes, arrays)
    order = np.argsort(images.sample_id_N, kind="stable")
    prediction = prediction_B.numpy()[order]
    right = prediction == images.label_N[order]
    if not right.any():
        raise ValueError(
            f"the model gets none of the {len(right)} images right, so that there is nothing to attack: check the "
            "labels, mean and std"
        )
    return Population(images, order[right], prediction[right], float(right.mean()))
