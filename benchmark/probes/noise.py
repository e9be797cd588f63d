"""Random noise: no adversary, a scale that is calibrated to a misclassification rate."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.bounds import NonNegative, Seed, checked_arguments
from benchmark.types import Interpreter, Perturbed


class Noise:
    """x' = clip_[0,1](x + scale * n), n ~ N(0, 1) ("normal"), U(-1, 1) ("uniform") or a random sign ("sign").

    Args:
        kind: of the distribution. scale: in image units, >= 0. seed: of the random numbers.
    """

    needs_map = False
    needs_donors = False

    @checked_arguments
    def __init__(
        self,
        *,
        kind: Literal["normal", "uniform", "sign"],
        scale: NonNegative,
        seed: Seed,
    ) -> None:
        self.kind, self.scale, self.seed = kind, scale, seed

    def perturb(self, image_BCHW: Tensor, id_B: Tensor) -> Tensor:
        """x' (B, 3, H, W); the noise of a sample depends on its id and the seed."""
        key_B = rng.sample_keys(self.seed, f"noise {self.kind}", id_B)
        return (image_BCHW + self.scale * unit_noise(self.kind, key_B, image_BCHW.shape[1:])).clamp(0, 1)

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Perturbed:
        return Perturbed(self.perturb(image_BCHW, id_B), torch.full_like(class_B, -1))


def unit_noise(kind: str, key_B: Tensor, shape: torch.Size) -> Tensor:
    """n of scale 1, (B, *shape)."""
    if kind == "normal":
        return rng.normal(key_B, *shape)
    uniform = 2 * rng.uniform(key_B, *shape) - 1
    return uniform if kind == "uniform" else torch.where(uniform < 0, -1.0, 1.0)
