"""Goal classes and goal maps of attacks, drawn once per sample."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.roots import square_root
from benchmark.types import Interpreter

GoalClasses = Literal["all", "trained"]
GoalKind = Literal["benign", "shape", "other_image", "keep", "keep_other_image", "keep_shape"]
UNTARGETED = ("benign", "shape")


def other_class(class_B: Tensor, classes_C: Tensor, key_B: Tensor) -> Tensor:
    """t, uniform over the classes other than ``class_B``, drawn from a key per sample.

    Args:
        class_B: (B,) int64. classes_C: the classes to draw from, (C,) int64, ascending.
        key_B: a key per sample (``rng.sample_keys``).
    Returns:
        (B,) int64.
    Raises:
        ValueError: fewer than two classes to draw from.
    """
    count = len(classes_C)
    if count < 2:
        raise ValueError(f"another class is to be drawn, which needs at least two classes; there is {count}")
    place_B = torch.searchsorted(classes_C, class_B)
    inside_B = classes_C[place_B.clamp(max=count - 1)] == class_B
    # From a class that is not among them, the walk around the circle starts one place earlier and may take all of it.
    offset_B = rng.integers(key_B, count - 1, 1)[:, 0]
    if not bool(inside_B.all()):
        offset_B = torch.where(inside_B, offset_B, rng.integers(key_B, count, 1)[:, 0] - 1)
    return classes_C[(place_B + 1 + offset_B) % count]


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
def donor_goal(
    interpreter: Interpreter, donors_CDCHW: Tensor, classes_C: Tensor, target_B: Tensor, key_B: Tensor
) -> Tensor:
    """m_t = g(z; t) of another image z of class t, drawn from the donors of that class.

    Args:
        donors_CDCHW: D images of each of the classes ``classes_C``, (C, D, 3, H, W).
    Raises:
        ValueError: a target that is not among the classes.
    """
    which_B = rng.integers(key_B, donors_CDCHW.shape[1], 1)[:, 0]
    place_B = torch.searchsorted(classes_C, target_B).clamp(max=len(classes_C) - 1)
    if not torch.equal(classes_C[place_B], target_B):
        unknown = sorted(set(target_B.tolist()) - set(classes_C.tolist()))
        raise ValueError(f"a goal map of another image needs images of its class; there are none of class {unknown}")
    return interpreter(donors_CDCHW[place_B, which_B].contiguous(), target_B)
