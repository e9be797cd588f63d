"""The square root, the same on every CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def square_root(value: Tensor) -> Tensor:
    """sqrt(value) of the nearest float32, as IEEE 754 has it; differentiable.

    On CPUs torch takes MKL's vectorised root, whose last bit depends on the maker of the CPU. A root in float64 that is
    then rounded to float32 is the correctly rounded one (Figueroa, 1995).
    """
    if value.device.type == "cpu" and value.dtype == torch.float32:
        return value.double().sqrt().float()
    return value.sqrt()
