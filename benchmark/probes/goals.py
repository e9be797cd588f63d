"""Goal classes and goal maps of attacks, drawn once per sample."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.roots import square_root
from benchmark.types import Interpreter

GoalKind = Literal["benign", "shape", "other_image", "keep", "keep_other_image", "keep_shape"]
UNTARGETED = ("benign", "shape")


def goal_class(class_B: Tensor, num_classes: int, key_B: Tensor) -> Tensor:
    """t, uniform over the K - 1 classes other than ``class_B``, drawn from a key per sample; (B,) int64."""
    if num_classes < 2:
        raise ValueError(f"a targeted attack needs at least two classes, the data set has {num_classes}")
    offset_B = rng.integers(key_B, num_classes - 1, 1)[:, 0]
    return (class_B + 1 + offset_B) % num_classes


@torch.no_grad()
def benign_goal(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
    """m_t = g(x; c): the map is to stay the benign one."""
    return interpreter(image_BCHW, class_B)


def shape_goal(key_B: Tensor, size: tuple[int, int]) -> Tensor:
    """m_t = a rectangle or a disc (probability 1/2 each) at a drawn position, with sides 1/4 to 1/2 of the map's."""
    rows, columns = size
    choice = rng.uniform(key_B, 5)
    height, width = (side * (0.25 + 0.25 * choice[:, 1 + axis]) for axis, side in enumerate(size))
    top, left = (rows - height) * choice[:, 3], (columns - width) * choice[:, 4]
    row = (torch.arange(rows, device=key_B.device) + 0.5)[None, :, None]
    column = (torch.arange(columns, device=key_B.device) + 0.5)[None, None, :]
    centre_row, centre_column = (top + height / 2)[:, None, None], (left + width / 2)[:, None, None]
    across = (row - centre_row).abs() / (height / 2)[:, None, None]
    along = (column - centre_column).abs() / (width / 2)[:, None, None]
    disc = square_root(across.square() + along.square())
    return (torch.where((choice[:, 0] < 0.5)[:, None, None], torch.maximum(across, along), disc) <= 1).float()


@torch.no_grad()
def donor_goal(interpreter: Interpreter, donors_KDCHW: Tensor, target_B: Tensor, key_B: Tensor) -> Tensor:
    """m_t = g(z; t) of another image z of class t, drawn from the donors of that class."""
    which_B = rng.integers(key_B, donors_KDCHW.shape[1], 1)[:, 0]
    return interpreter(donors_KDCHW[target_B, which_B].contiguous(), target_B)
