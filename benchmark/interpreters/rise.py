"""RISE: how the confidence follows random masks (perturbation family; Petsiuk et al., BMVC 2018)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.postprocess import check_pool, min_max
from benchmark.numerics import rng
from benchmark.numerics.bounds import Seed, WholePositive, checked_arguments
from benchmark.numerics.expectations import Limit, Says
from benchmark.types import Classifier


class RISE(BaseInterpreter):
    """map = min-max of sum_n softmax_c(f(x * M_n)) M_n, M_n smooth random masks that keep a share of a coarse grid.

    It takes ``masks`` passes per image and can be measured, not attacked by gradient.

    Args:
        masks: how many. cells: rows and columns of the coarse grid. keep: probability of keeping a cell.
        pool: side of a map pixel, in pixels. seed: of the masks, which are the same for every image.
        chunk: masks per pass.
    """

    differentiable = False
    mask_NHW: Tensor

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        masks: WholePositive = 500,
        cells: Annotated[int, Ge(2), Limit(16_384)] = 7,
        keep: Annotated[float, Gt(0), Lt(1), Says("a probability between 0 and 1")] = 0.5,
        pool: WholePositive = 2,
        seed: Seed = 0,
        chunk: WholePositive = 50,
    ) -> None:
        super().__init__(classifier=classifier)
        check_pool(pool, image_size)
        self.pool, self.chunk = pool, chunk
        self.register_buffer("mask_NHW", random_masks(masks, cells, keep, image_size, seed), persistent=False)

    @torch.no_grad()
    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Min-max of sum_n softmax_c(f(x * M_n)) M_n, pooled, (B, H / pool, W / pool)."""
        batch = len(class_B)
        total = image_BCHW.new_zeros(batch, *image_BCHW.shape[-2:])
        for mask in self.mask_NHW.split(self.chunk):
            masked = (image_BCHW[:, None] * mask[None, :, None]).flatten(0, 1)
            confidence = self.classifier(masked).softmax(1).view(batch, len(mask), -1)
            own = confidence.gather(2, class_B[:, None, None].expand(-1, len(mask), 1))[..., 0]
            total += torch.einsum("bn,nhw->bhw", own, mask)
        return min_max(F.avg_pool2d(total[:, None], self.pool)[:, 0])


def random_masks(count: int, cells: int, keep: float, size: int, seed: int) -> Tensor:
    """Coarse random grids, enlarged bilinearly and shifted by up to a cell: (count, size, size) in [0, 1]."""
    key_N = rng.sample_keys(seed, "rise", torch.arange(count))
    grid = (rng.uniform(key_N, 1, cells, cells) < keep).float()
    cell = -(-size // cells)
    large = F.interpolate(grid, size=(cells + 1) * cell, mode="bilinear", align_corners=False)[:, 0]
    shift = rng.integers(key_N ^ 1, cell, 2).tolist()
    return torch.stack(
        [mask[top : top + size, left : left + size] for mask, (top, left) in zip(large, shift, strict=True)]
    )
