"""How much memory a pass keeps for its backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from benchmark.numerics import layers
from benchmark.types import Classifier


@contextmanager
def kept_for_backward() -> Iterator[dict[int, int]]:
    """Bytes of what passes inside keep for their backward passes, by where they lie in memory; without weights.

    The dictionary is filled while passes are made. Graphs of graphs (``create_graph``) are not to be made inside.
    """
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        owner = tensor if tensor._base is None else tensor._base
        if not isinstance(owner, nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def kept_of_an_image(classifier: Classifier, image_size: int) -> int:
    """Bytes that one image's pass keeps for its backward pass, in float32 and without weights; takes one pass."""
    weight = next(classifier.parameters(), None)
    device = None if weight is None else weight.device
    image = torch.full((1, 3, image_size, image_size), 0.5, device=device, requires_grad=True)
    with torch.enable_grad(), layers.configured({}), kept_for_backward() as kept:
        classifier(image)
    return sum(kept.values())
