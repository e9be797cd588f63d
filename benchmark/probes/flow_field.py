"""The flow field: pixels are moved, not changed (stAdv, Xiao et al., ICLR 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics.adam import Adam, UpdateRule
from benchmark.numerics.bounds import Positive, Weight, checked_arguments
from benchmark.objectives.smoothness import flow_roughness


class FlowField:
    """x'(p) = x(p + flow(p)), interpolated bilinearly; the parameter is the flow (x, y), (B, 2, H, W) in pixels.

    There is no epsilon: the penalty is ``smoothness`` times the roughness of the flow.

    Args:
        lr: Adam's step size, in pixels. smoothness: weight of the roughness.
    """

    @checked_arguments
    def __init__(self, *, lr: Positive = 0.01, smoothness: Weight = 5e-4) -> None:
        self.lr, self.smoothness = lr, smoothness

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        batch, _, height, width = image_BCHW.shape
        return image_BCHW.new_zeros(batch, 2, height, width)

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        height, width = image_BCHW.shape[-2:]
        rows = torch.arange(height, device=parameter.device, dtype=parameter.dtype)[:, None]
        columns = torch.arange(width, device=parameter.device, dtype=parameter.dtype)[None]
        x = 2 * (columns + parameter[:, 0]) / max(width - 1, 1) - 1
        y = 2 * (rows + parameter[:, 1]) / max(height - 1, 1) - 1
        grid = torch.stack([x, y], dim=-1)
        return F.grid_sample(image_BCHW, grid, padding_mode="border", align_corners=True).clamp(0, 1)

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        return self.smoothness * flow_roughness(parameter)

    def optimizer(self) -> UpdateRule:
        return Adam(lr=self.lr)
