"""What attacks want: goal classes and goal maps, drawn once per sample."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark import draws
from benchmark.types import Interpreter


def goal_class(class_B: Tensor, num_classes: int, key_B: Tensor) -> Tensor:
    """t, uniform over the K - 1 classes other than ``class_B``, drawn from a key per sample; (B,) int64."""
    if num_classes < 2:
        raise ValueError(f"a targeted attack needs at least two classes, the data set has {num_classes}")
    offset_B = draws.integers(key_B, num_classes - 1, 1)[:, 0]
    return (class_B + 1 + offset_B) % num_classes


@torch.no_grad()
def benign_goal(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
    """m_t = g(x; c): the attack hides behind the benign map."""
    return interpreter(image_BCHW, class_B)
